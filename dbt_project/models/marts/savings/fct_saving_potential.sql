{{ config(replace_by=['period']) }}

{%- set measures = [
    'bs_quantity', 'ref_quantity', 'form_quantity', 'form_saving_yen', 'form_nominal_insurer_yen', 'full_quantity', 'full_saving_yen',
    'full_nominal_insurer_yen', 'new_quantity', 'new_saving_yen', 'new_nominal_insurer_yen', 'other_form_quantity', 'restricted_quantity',
    'no_price_quantity', 'unfound_form_quantity', 'priced_quantity', 'over_mean_yen', 'over_mean_nominal_insurer_yen',
    'full_insurer_gain_low_yen', 'full_insurer_gain_high_yen', 'full_patient_gain_low_yen', 'full_patient_gain_high_yen',
    'full_public_gain_low_yen', 'full_public_gain_high_yen', 'full_undivided_yen', 'full_certain_line_count', 'full_interval_line_count',
] -%}
{%- set summed = [
    'quantity', 'saving_yen', 'unreached_quantity', 'other_form_quantity', 'restricted_quantity', 'uncomputable_quantity', 'nominal_insurer_yen',
    'full_undivided_yen', 'full_certain_line_count', 'full_interval_line_count', 'full_insurer_gain_low_yen', 'full_insurer_gain_high_yen',
    'full_patient_gain_low_yen', 'full_patient_gain_high_yen', 'full_public_gain_low_yen', 'full_public_gain_high_yen',
] -%}

with cell_of_ingredient as (
    select * from {{ ref('int_saving_cell') }}
),

of_insurer as (
    select
        cell.insurer_number,
        {{ level_keys() }},
        max(period.price_vintage) as price_vintage,
        {{ sums_of(measures, 'cell') }}
    from {{ at_every_level('cell_of_ingredient') }}
    where period.period_kind = 'fiscal_year' and setting_level = 'all' and ingredient_level <> 'all' -- noqa: RF02
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
        {{ sums_of(measures, 'of_insurer') }}
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
        and {{ touched(['period'], 'share') }}
        and share.scope = 'brand'
        and share.convention = 'claims_units'
        and share.setting = 'all'
        and (
            (share.population_kind = 'insurer' and share.place_level = 'nation')
            or (share.population_kind = 'all' and share.place_level = 'prefecture' and share.place_key <> '00')
        )
    group by scenario.scenario_key, share.place_level, share.geography, share.ingredient_key, share.period_kind, share.period
    -- of few insurers, the best one's share would be told to the others
    having share.place_level <> 'nation' or count(*) >= {{ var('least_peer_insurers') }}
),

target as (
    select
        cell.*,
        case
            when cell.bs_quantity + cell.ref_quantity > 0 then {{ ratio('cell.bs_quantity', '(cell.bs_quantity + cell.ref_quantity)') }}
        end as share_ratio,
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
        if(share_ratio >= target_share_ratio, 0, target_share_ratio * (bs_quantity + ref_quantity) - bs_quantity) as wanted_quantity
    from target
),

moved as (
    select
        *,
        case
            when target_share_ratio is not null then least(greatest(wanted_quantity, 0), form_quantity)
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
        {{ saved_by_scenario('saving_yen', 'over_mean_yen') }} as saving_yen,
        {{ saved_by_scenario('nominal_insurer_yen', 'over_mean_nominal_insurer_yen') }} as nominal_insurer_yen
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
        {{ sums_of(summed) }}
    from saved
        lateral view explode(array(ingredient_key, 'all')) as ingredient_level
    group by
        population_kind,
        population_key,
        place_level,
        place_key,
        geography,
        ingredient_level,
        period_kind,
        period,
        scenario_key,
        scenario_kind
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
    saving.quantity,
    saving.saving_yen,
    saving.unreached_quantity,
    saving.other_form_quantity,
    saving.restricted_quantity,
    saving.uncomputable_quantity,
    saving.nominal_insurer_yen,
    cast(saving.saving_yen - saving.nominal_insurer_yen as decimal(24, 6)) as nominal_patient_yen,
    if(saving.scenario_kind = 'full', saving.full_insurer_gain_low_yen, null) as insurer_gain_low_yen,
    if(saving.scenario_kind = 'full', saving.full_insurer_gain_high_yen, null) as insurer_gain_high_yen,
    if(saving.scenario_kind = 'full', saving.full_patient_gain_low_yen, null) as patient_gain_low_yen,
    if(saving.scenario_kind = 'full', saving.full_patient_gain_high_yen, null) as patient_gain_high_yen,
    if(saving.scenario_kind = 'full', saving.full_public_gain_low_yen, null) as public_gain_low_yen,
    if(saving.scenario_kind = 'full', saving.full_public_gain_high_yen, null) as public_gain_high_yen,
    if(saving.scenario_kind = 'full', saving.full_undivided_yen, null) as undivided_yen,
    case
        when saving.scenario_kind <> 'full' then null
        when saving.full_interval_line_count > 0 then 'interval'
        when saving.full_certain_line_count > 0 then 'receipt_certain'
    end as gain_basis,
    period.months_in_period
from every_ingredient as saving
inner join {{ ref('dim_period') }} as period on saving.period_kind = period.period_kind and saving.period = period.period
