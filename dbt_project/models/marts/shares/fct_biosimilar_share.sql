{{ config(replace_by=['population_key', 'period']) }}

-- persons are known within one insurer, so that those of a population are a sum
with summed as (
    select
        population.population_kind,
        population.population_key,
        level.place_level,
        level.place_key,
        level.geography,
        level.scope,
        level.ingredient_key,
        level.setting,
        level.period_kind,
        level.period,
        sum(level.unpriced_quantity) as unpriced_quantity,
        sum(level.patient_count) as patient_count,
        sum(level.both_patient_count) as both_patient_count,
        array(
            {{ counted('claims_units', 'level.bs_share_quantity', 'level.share_quantity', 'level.bioag_share_quantity') }},
            {{ counted('price_list_units', 'level.bs_list_quantity', 'level.list_quantity', 'level.bioag_list_quantity') }},
            {{ counted('value', 'level.bs_value_yen', 'level.value_yen', 'level.bioag_value_yen') }},
            {{ counted('patients', 'level.bs_patient_count', 'level.patient_count', 'level.bioag_patient_count') }},
            {{ counted('new_starts', 'level.bs_start_count', 'level.start_count', 'level.bioag_start_count') }}
        ) as conventions
    from {{ ref('int_share_level') }} as level
    inner join {{ ref('int_population_member') }} as population
        on level.insurer_number = population.insurer_number and {{ touched(['period'], 'level') }}
    group by
        population.population_kind,
        population.population_key,
        level.place_level,
        level.place_key,
        level.geography,
        level.scope,
        level.ingredient_key,
        level.setting,
        level.period_kind,
        level.period
)

select
    summed.population_kind,
    summed.population_key,
    summed.place_level,
    summed.place_key,
    share_geography as geography, -- noqa: RF02
    summed.scope,
    summed.ingredient_key,
    summed.setting,
    summed.period_kind,
    summed.period,
    share.convention,
    cast(share.numerator as decimal(24, 6)) as numerator,
    cast(share.denominator as decimal(24, 6)) as denominator,
    cast(share.bioag as decimal(24, 6)) as bioag_numerator,
    {{ ratio('share.numerator', 'share.denominator') }} as share_ratio,
    if(ingredient.is_paid_by_dialysis_fee, 'partly', 'seen') as observability,
    summed.patient_count,
    summed.both_patient_count,
    cast(summed.unpriced_quantity as decimal(24, 6)) as unpriced_quantity,
    if(share.convention = 'new_starts', period.months_with_new_starts, period.months_in_period) as months_in_period
from summed
inner join {{ ref('dim_period') }} as period on summed.period_kind = period.period_kind and summed.period = period.period
inner join {{ ref('dim_ingredient') }} as ingredient on summed.ingredient_key = ingredient.ingredient_key
    lateral view explode(summed.conventions) as share
    lateral view explode({{ geographies_of('summed.geography') }}) as share_geography
where share.denominator > 0
