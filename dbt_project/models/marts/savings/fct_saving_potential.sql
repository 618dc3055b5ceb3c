{%- set measures = [
    'bs_quantity', 'ref_quantity', 'form_quantity', 'form_saving_yen', 'form_nominal_insurer_yen', 'full_quantity', 'full_saving_yen',
    'full_nominal_insurer_yen', 'new_quantity', 'new_saving_yen', 'new_nominal_insurer_yen', 'other_form_quantity', 'restricted_quantity',
    'no_price_quantity', 'unfound_form_quantity', 'priced_quantity', 'over_mean_yen', 'over_mean_nominal_insurer_yen',
    'full_insurer_gain_low_yen', 'full_insurer_gain_high_yen', 'full_patient_gain_low_yen', 'full_patient_gain_high_yen',
    'full_public_gain_low_yen', 'full_public_gain_high_yen', 'full_undivided_yen', 'full_certain_quantity', 'full_interval_quantity',
] -%}
{%- set gains = [
    'insurer_gain_low_yen', 'insurer_gain_high_yen', 'patient_gain_low_yen', 'patient_gain_high_yen', 'public_gain_low_yen', 'public_gain_high_yen',
] -%}
{%- set summed = [
    'quantity', 'saving_yen', 'unreached_quantity', 'other_form_quantity', 'restricted_quantity', 'uncomputable_quantity', 'nominal_insurer_yen',
    'full_undivided_yen', 'full_certain_quantity', 'full_interval_quantity',
] -%}

with cell_of_ingredient as (
    select * from {{ ref('int_saving_cell') }}
),

of_insurer as (
    select
        cell.insurer_number,
        {{ level_keys() }},
        max(period.price_vintage) as price_vintage,
        {%- for measure in measures %}
        sum(cell.{{ measure }}) as {{ measure }}{{ ',' if not loop.last }}
        {%- endfor %}
    from {{ at_every_level('cell_of_ingredient') }}
    where period.period_kind in ('fiscal_year', 'rolling_12') and setting_level = 'all' and ingredient_level <> 'all'
    group by cell.insurer_number, {{ level_keys() }}
),

of_population as (
    select
        population.population_kind,
        population.population_key,
        of_insurer.place_level,
        of_insurer.place_key,
        of_insurer.geography,
        of_insurer.ingredient_level as ingredient_key,
        of_insurer.period_kind,
        of_insurer.period,
        max(of_insurer.price_vintage) as price_vintage,
        {%- for measure in measures %}
        cast(sum(of_insurer.{{ measure }}) as decimal(24, 6)) as {{ measure }}{{ ',' if not loop.last }}
        {%- endfor %}
    from of_insurer
    inner join {{ ref('int_population_member') }} as population on of_insurer.insurer_number = population.insurer_number
    group by
        population.population_kind,
        population.population_key,
        of_insurer.place_level,
        of_insurer.place_key,
        of_insurer.geography,
        of_insurer.ingredient_level,
        of_insurer.period_kind,
        of_insurer.period
),

-- peers of an insurer are the insurers of the lake, those of a prefecture the prefectures
peer as (
    select
        scenario.scenario_key,
        share.place_level,
        share.geography,
        share.ingredient_key,
        share.period_kind,
        share.period,
        array_sort(collect_list(share.share_ratio)) as share_ratios
    from {{ ref('fct_biosimilar_share') }} as share
    inner join {{ ref('stg_masters__scenario') }} as scenario on share.patient_count >= scenario.least_patient_count
    where
        scenario.scenario_kind = 'peer_share'
        and share.convention = 'claims_units'
        and share.setting = 'all'
        and (
            (share.population_kind = 'insurer' and share.place_level = 'nation')
            or (share.population_kind = 'all' and share.place_level = 'prefecture' and share.place_key <> '00')
        )
    group by scenario.scenario_key, share.place_level, share.geography, share.ingredient_key, share.period_kind, share.period
),

target as (
    select
        cell.*,
        scenario.scenario_key,
        scenario.scenario_kind,
        case scenario.scenario_kind
            when 'target_share' then scenario.parameter
            -- percentile by nearest rank
            when 'peer_share' then peer.share_ratios[cast(ceil(scenario.parameter * size(peer.share_ratios)) as int) - 1]
        end as target_share_ratio
    from of_population as cell
    cross join {{ ref('stg_masters__scenario') }} as scenario
    left join peer
        on
            scenario.scenario_key = peer.scenario_key
            and cell.place_level = peer.place_level
            and (cell.place_level <> 'nation' or cell.population_kind = 'insurer')
            and cell.geography = peer.geography
            and cell.ingredient_key = peer.ingredient_key
            and cell.period_kind = peer.period_kind
            and cell.period = peer.period
    where scenario.scenario_kind <> 'peer_share' or peer.share_ratios is not null
),

wanted as (
    select
        *,
        -- already better: nothing to move
        greatest(target_share_ratio * (bs_quantity + ref_quantity) - bs_quantity, 0) as wanted_quantity,
        case when bs_quantity + ref_quantity > 0 then {{ ratio('bs_quantity', '(bs_quantity + ref_quantity)') }} end as share_ratio
    from target
),

moved as (
    select
        *,
        case
            when target_share_ratio is not null then least(wanted_quantity, form_quantity)
            when scenario_kind = 'new_starts' then new_quantity
            when scenario_kind = 'same_form' then form_quantity
            when scenario_kind = 'full' then full_quantity
            when scenario_kind = 'mean_price' then priced_quantity
        end as quantity
    from wanted
),

saved as (
    select
        *,
        wanted_quantity - if(target_share_ratio is not null, quantity, null) as unreached_quantity,
        no_price_quantity + if(scenario_kind = 'full', unfound_form_quantity, 0) as uncomputable_quantity,
        {%- for name, of_mean in {'saving_yen': 'over_mean_yen', 'nominal_insurer_yen': 'over_mean_nominal_insurer_yen'}.items() %}
        cast(case
            when target_share_ratio is not null then coalesce(form_{{ name }} * (quantity / nullif(form_quantity, 0)), 0)
            when scenario_kind = 'new_starts' then new_{{ name }}
            when scenario_kind = 'same_form' then form_{{ name }}
            when scenario_kind = 'full' then full_{{ name }}
            when scenario_kind = 'mean_price' then if(over_mean_yen > 0, {{ of_mean }}, 0)
        end as decimal(24, 6)) as {{ name }}{{ ',' if not loop.last }}
        {%- endfor %}
    from moved
),

every_ingredient as (
    select
        population_kind,
        population_key,
        place_level,
        place_key,
        geography,
        ingredient_level as ingredient_key,
        period_kind,
        period,
        scenario_key,
        scenario_kind,
        max(price_vintage) as price_vintage,
        if(ingredient_level = 'all', null, max(share_ratio)) as share_ratio,
        if(ingredient_level = 'all', null, max(target_share_ratio)) as target_share_ratio,
        {%- for name in summed %}
        sum({{ name }}) as {{ name }},
        {%- endfor %}
        {%- for name in gains %}
        sum(full_{{ name }}) as {{ name }}{{ ',' if not loop.last }}
        {%- endfor %}
    from saved
        lateral view explode(array(ingredient_key, 'all')) as ingredient_level
    group by
        population_kind, population_key, place_level, place_key, geography, ingredient_level, period_kind, period, scenario_key, scenario_kind
)

select
    saving.population_kind,
    saving.population_key,
    saving.place_level,
    saving.place_key,
    saving.geography,
    saving.ingredient_key,
    saving.period_kind,
    saving.period,
    saving.scenario_key,
    saving.price_vintage,
    cast(saving.share_ratio as decimal(9, 8)) as share_ratio,
    cast(saving.target_share_ratio as decimal(9, 8)) as target_share_ratio,
    cast(saving.quantity as decimal(24, 6)) as quantity,
    cast(saving.saving_yen as decimal(24, 6)) as saving_yen,
    cast(saving.unreached_quantity as decimal(24, 6)) as unreached_quantity,
    cast(saving.other_form_quantity as decimal(24, 6)) as other_form_quantity,
    cast(saving.restricted_quantity as decimal(24, 6)) as restricted_quantity,
    cast(saving.uncomputable_quantity as decimal(24, 6)) as uncomputable_quantity,
    cast(saving.nominal_insurer_yen as decimal(24, 6)) as nominal_insurer_yen,
    cast(saving.saving_yen - saving.nominal_insurer_yen as decimal(24, 6)) as nominal_patient_yen,
    {%- for name in gains %}
    cast(if(saving.scenario_kind = 'full', saving.{{ name }}, null) as decimal(24, 6)) as {{ name }},
    {%- endfor %}
    cast(if(saving.scenario_kind = 'full', saving.full_undivided_yen, null) as decimal(24, 6)) as undivided_yen,
    case
        when saving.scenario_kind <> 'full' then null
        when saving.full_interval_quantity > 0 then 'interval'
        when saving.full_certain_quantity > 0 then 'receipt_certain'
    end as gain_basis,
    period.months_in_period
from every_ingredient as saving
inner join {{ ref('dim_period') }} as period on saving.period_kind = period.period_kind and saving.period = period.period
