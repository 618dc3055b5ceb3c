{{ config(liquid_by=['population_key', 'period'], replace_by=['population_key', 'period']) }}

with summed as (
    select
        cell.insurer_number,
        {{ level_keys() }},
        sum(cell.bs_quantity) as bs_quantity,
        sum(cell.quantity) as quantity,
        sum(cell.bs_value_yen) as bs_value_yen,
        sum(cell.value_yen) as value_yen,
        sum(cell.unpriced_quantity) as unpriced_quantity,
        cast(0 as bigint) as bs_patient_count,
        cast(0 as bigint) as patient_count
    from {{ at_every_level(ref('int_share_cell')) }}
    group by cell.insurer_number, {{ level_keys() }}
),

-- patients are no sum of months or places: counted apart, laid beside the sums
of_insurer as (
    select * from summed
    union all
    select
        insurer_number,
        place_level,
        place_key,
        geography,
        ingredient_key,
        setting,
        period_kind,
        period,
        0 as bs_quantity,
        0 as quantity,
        0 as bs_value_yen,
        0 as value_yen,
        0 as unpriced_quantity,
        bs_patient_count,
        patient_count
    from {{ ref('int_patient_count') }}
),

of_population as (
    select
        population.population_kind,
        population.population_key,
        of_insurer.place_level,
        of_insurer.place_key,
        of_insurer.geography,
        of_insurer.ingredient_level as ingredient_key,
        of_insurer.setting_level as setting,
        of_insurer.period_kind,
        of_insurer.period,
        sum(of_insurer.bs_quantity) as bs_quantity,
        sum(of_insurer.quantity) as quantity,
        sum(of_insurer.bs_value_yen) as bs_value_yen,
        sum(of_insurer.value_yen) as value_yen,
        sum(of_insurer.unpriced_quantity) as unpriced_quantity,
        sum(of_insurer.bs_patient_count) as bs_patient_count,
        sum(of_insurer.patient_count) as patient_count
    from of_insurer
    inner join {{ ref('int_population_member') }} as population on of_insurer.insurer_number = population.insurer_number
    group by
        population.population_kind,
        population.population_key,
        of_insurer.place_level,
        of_insurer.place_key,
        of_insurer.geography,
        of_insurer.ingredient_level,
        of_insurer.setting_level,
        of_insurer.period_kind,
        of_insurer.period
),

in_convention as (
    select
        of_population.*,
        counted.convention,
        counted.numerator,
        counted.denominator
    from of_population
        lateral view explode(array(
            named_struct(
                'convention', 'claims_units',
                'numerator', cast(bs_quantity as decimal(26, 12)),
                'denominator', cast(quantity as decimal(26, 12))
            ),
            named_struct(
                'convention', 'value',
                'numerator', cast(bs_value_yen as decimal(26, 12)),
                'denominator', cast(value_yen as decimal(26, 12))
            ),
            named_struct(
                'convention', 'patients',
                'numerator', cast(bs_patient_count as decimal(26, 12)),
                'denominator', cast(patient_count as decimal(26, 12))
            )
        )) as counted
)

select
    share.population_kind,
    share.population_key,
    share.place_level,
    share.place_key,
    share.geography,
    share.ingredient_key,
    share.setting,
    share.period_kind,
    share.period,
    share.convention,
    cast(share.numerator as decimal(24, 6)) as numerator,
    cast(share.denominator as decimal(24, 6)) as denominator,
    {{ ratio('share.numerator', 'share.denominator') }} as share_ratio,
    share.patient_count,
    cast(share.unpriced_quantity as decimal(24, 6)) as unpriced_quantity,
    period.months_in_period
from in_convention as share
inner join {{ ref('dim_period') }} as period on share.period_kind = period.period_kind and share.period = period.period
where share.denominator > 0
