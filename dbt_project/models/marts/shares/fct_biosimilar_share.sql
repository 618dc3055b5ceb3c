{{ config(liquid_by=['population_key', 'period']) }}

with of_population as (
    select
        population.population_kind,
        population.population_key,
        level.* except (insurer_number, population_kind, population_key)
    from {{ ref('int_share_level') }} as level
    inner join {{ ref('int_population_member') }} as population on level.insurer_number = population.insurer_number
    where level.population_kind = 'insurer'
    union all
    select level.* except (insurer_number)
    from {{ ref('int_share_level') }} as level
    where level.population_kind = 'employer'
),

-- persons are known within one insurer, so that those of a population are a sum
summed as (
    select
        population_kind,
        population_key,
        place_level,
        place_key,
        geography,
        scope,
        ingredient_key,
        setting,
        period_kind,
        period,
        sum(unpriced_quantity) as unpriced_quantity,
        sum(patient_count) as patient_count,
        sum(both_patient_count) as both_patient_count,
        array(
            {{ counted('claims_units', 'bs_share_quantity', 'share_quantity', 'bioag_share_quantity') }},
            {{ counted('price_list_units', 'bs_list_quantity', 'list_quantity', 'bioag_list_quantity') }},
            {{ counted('value', 'bs_value_yen', 'value_yen', 'bioag_value_yen') }},
            {{ counted('patients', 'bs_patient_count', 'patient_count', 'bioag_patient_count') }},
            {{ counted('new_starts', 'bs_start_count', 'start_count', 'bioag_start_count') }}
        ) as conventions
    from of_population
    group by population_kind, population_key, place_level, place_key, geography, scope, ingredient_key, setting, period_kind, period
)

select
    summed.population_kind,
    summed.population_key,
    summed.place_level,
    summed.place_key,
    share_geography as geography,
    summed.scope,
    summed.ingredient_key,
    summed.setting,
    summed.period_kind,
    summed.period,
    share.convention,
    cast(share.numerator as decimal(24, 6)) as numerator,
    cast(share.denominator as decimal(24, 6)) as denominator,
    cast(share.bioag as decimal(24, 6)) as bioag_numerator,
    case when dialysis.facility_code is null then {{ ratio('share.numerator', 'share.denominator') }} end as share_ratio,
    case
        when ingredient.is_paid_by_dialysis_fee is not true then 'seen'
        when dialysis.facility_code is null then 'partly'
        else 'not_observable'
    end as observability,
    summed.patient_count,
    summed.both_patient_count,
    cast(summed.unpriced_quantity as decimal(24, 6)) as unpriced_quantity,
    if(share.convention = 'new_starts', period.months_with_new_starts, period.months_in_period) as months_in_period
from summed
inner join {{ ref('dim_period') }} as period on summed.period_kind = period.period_kind and summed.period = period.period
left join {{ ref('dim_ingredient') }} as ingredient on summed.ingredient_key = ingredient.ingredient_key
left join {{ ref('int_dialysis_facility') }} as dialysis
    on
        summed.place_level = 'facility'
        and summed.place_key = dialysis.facility_code
        and summed.period_kind = dialysis.period_kind
        and summed.period = dialysis.period
        and ingredient.is_paid_by_dialysis_fee
    lateral view explode(summed.conventions) as share
    lateral view explode(
        if(summed.geography = 'any', array('facility_of_use', 'prescriber', 'residence', 'enrolment'), array(summed.geography))
    ) as share_geography
where
    share.denominator > 0
    and (summed.period_kind <> 'month' or share_geography in ('facility_of_use', 'prescriber'))
