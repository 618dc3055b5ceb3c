{{ config(replace_by=['population_key', 'period']) }}

with target as (
    select max(value_ratio) as reached_from_share_ratio
    from {{ ref('dim_target') }}
    where target_key = 'biosimilar_ingredient_reached'
),

used as (
    select
        share.population_kind,
        share.population_key,
        share.place_level,
        share.place_key,
        share.geography,
        share.ingredient_key,
        share.period_kind,
        share.period,
        share.numerator,
        share.denominator,
        share.share_ratio,
        share.patient_count,
        target.reached_from_share_ratio,
        listed.months_in_period
    from {{ ref('fct_biosimilar_share') }} as share
    inner join {{ ref('int_listed_ingredient') }} as listed
        on
            share.ingredient_key = listed.ingredient_key
            and share.period_kind = listed.period_kind
            and share.period = listed.period
    cross join target
    where
        {{ touched(['population_key', 'period'], 'share') }}
        and share.scope = 'brand'
        and share.convention = 'claims_units'
        and share.setting = 'all'
        and share.period_kind in ('fiscal_year', 'rolling_12')
),

-- many cells show the same share on as many patients
posterior as (
    select distinct
        share_ratio,
        patient_count,
        cast(share_ratio as double) as share,
        cast(patient_count as double) as persons,
        asin(sqrt(cast(reached_from_share_ratio as double))) as reached_angle,
        asin(sqrt(cast(share_ratio as double))) - 4 / sqrt(patient_count) as first_angle,
        asin(sqrt(cast(share_ratio as double))) + 4 / sqrt(patient_count) as last_angle
    from used
    where patient_count > 0
),

bounded as (
    select
        *,
        greatest(first_angle, 0) as from_angle,
        least(last_angle, pi() / 2) as to_angle,
        least(greatest(reached_angle, first_angle, 0), last_angle, pi() / 2) as at_angle
    from posterior
),

mass as (
    select
        share_ratio,
        patient_count,
        {{ posterior_mass('from_angle', 'at_angle', 'share', 'persons') }} as below,
        {{ posterior_mass('at_angle', 'to_angle', 'share', 'persons') }} as above
    from bounded
)

select
    used.population_kind,
    used.population_key,
    used.place_level,
    used.place_key,
    used.geography,
    used.ingredient_key,
    used.period_kind,
    used.period,
    used.numerator,
    used.denominator,
    used.share_ratio,
    used.reached_from_share_ratio,
    used.numerator >= used.reached_from_share_ratio * used.denominator as is_reached,
    cast(greatest(used.reached_from_share_ratio * used.denominator - used.numerator, 0) as decimal(24, 6)) as units_needed,
    used.patient_count,
    cast(round(mass.above / (mass.below + mass.above), 4) as decimal(5, 4)) as reached_chance_ratio,
    if(used.patient_count > 0, null, 'no_patients') as not_computable_reason,
    used.months_in_period
from used
left join mass on used.share_ratio = mass.share_ratio and used.patient_count = mass.patient_count
