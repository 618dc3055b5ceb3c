{{ config(replace_by=['population_key', 'period']) }}

with of_insurer as (
    select
        cell.insurer_number,
        place.place_level,
        place.place_key,
        cell.geography,
        level.setting,
        period.period_kind,
        period.period,
        level.yakko_class_2,
        cell.scope,
        {%- for measure in generic_measures() %}
            sum(cell.{{ measure }}) as {{ measure }},
        {%- endfor %}
        max(cell.class_list_date) as class_list_date,
        min(cell.is_class_list_in_force) as is_class_list_in_force
    from {{ ref('int_generic_cell') }} as cell
    inner join {{ ref('int_place_member') }} as place on cell.prefecture_code = place.prefecture_code
    inner join {{ ref('int_period_member') }} as period
        on
            cell.service_month = period.service_month
            and period.period_kind in ('month', 'fiscal_year')
            and {{ within_touched_periods('cell.service_month') }}
        -- by class or by setting, never both: a class stands over all settings, where the drug was used
        lateral view explode(array_compact(array(
            named_struct('yakko_class_2', 'all', 'setting', 'all'),
            named_struct('yakko_class_2', 'all', 'setting', cell.setting),
            if(cell.geography = 'facility_of_use', named_struct('yakko_class_2', cell.yakko_class_2, 'setting', 'all'), null)
        ))) as level
    group by
        cell.insurer_number,
        place.place_level,
        place.place_key,
        cell.geography,
        level.setting,
        period.period_kind,
        period.period,
        level.yakko_class_2,
        cell.scope
),

of_population as (
    select
        population.population_kind,
        population.population_key,
        of_insurer.place_level,
        of_insurer.place_key,
        of_insurer.geography,
        of_insurer.setting,
        of_insurer.period_kind,
        of_insurer.period,
        of_insurer.yakko_class_2,
        of_insurer.scope,
        {%- for measure in generic_measures() %}
            sum(of_insurer.{{ measure }}) as {{ measure }},
        {%- endfor %}
        max(of_insurer.class_list_date) as class_list_date,
        min(of_insurer.is_class_list_in_force) as is_class_list_in_force
    from of_insurer
    inner join {{ ref('int_population_member') }} as population on of_insurer.insurer_number = population.insurer_number
    group by
        population.population_kind,
        population.population_key,
        of_insurer.place_level,
        of_insurer.place_key,
        of_insurer.geography,
        of_insurer.setting,
        of_insurer.period_kind,
        of_insurer.period,
        of_insurer.yakko_class_2,
        of_insurer.scope
),

in_variant as (
    select
        of_population.*,
        counted.variant,
        counted.numerator,
        counted.denominator
    from of_population
        lateral view explode(array(
            named_struct(
                'variant', 'quantity',
                'numerator', cast(generic_quantity as decimal(26, 12)),
                'denominator', cast(substitutable_quantity as decimal(26, 12))
            ),
            named_struct(
                'variant', 'value',
                'numerator', cast(generic_value_yen as decimal(26, 12)),
                'denominator', cast(substitutable_value_yen as decimal(26, 12))
            ),
            named_struct(
                'variant', 'addon',
                'numerator', cast(addon_generic_quantity as decimal(26, 12)),
                'denominator', cast(addon_substitutable_quantity as decimal(26, 12))
            ),
            named_struct(
                'variant', 'cutoff',
                'numerator', cast(cutoff_quantity as decimal(26, 12)),
                'denominator', cast(cutoff_all_quantity as decimal(26, 12))
            )
        )) as counted
    -- add-on and cut-off are asked of all drugs together
    where of_population.yakko_class_2 = 'all' or counted.variant in ('quantity', 'value')
)

select
    share.population_kind,
    share.population_key,
    share.place_level,
    share.place_key,
    share.geography,
    share.setting,
    share.period_kind,
    share.period,
    share.yakko_class_2,
    share.scope,
    share.variant,
    cast(share.numerator as decimal(24, 6)) as numerator,
    cast(share.denominator as decimal(24, 6)) as denominator,
    {{ ratio('share.numerator', 'share.denominator') }} as share_ratio,
    cast(share.unclassified_quantity as decimal(24, 6)) as unclassified_quantity,
    cast(share.unconverted_quantity as decimal(24, 6)) as unconverted_quantity,
    cast(share.unpriced_quantity as decimal(24, 6)) as unpriced_quantity,
    share.period_kind = 'month' and (share.scope <> 'mhlw_insurer' or share.period % 100 in (3, 9)) as is_month_of_official_figure,
    share.class_list_date,
    share.is_class_list_in_force,
    period.months_in_period
from in_variant as share
inner join {{ ref('dim_period') }} as period on share.period_kind = period.period_kind and share.period = period.period
where share.denominator > 0
