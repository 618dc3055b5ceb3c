{{ config(replace_by=['population_key', 'period']) }}

with target as (
    select
        max(value_ratio) filter (where target_key = 'biosimilar_kpi') as target_ratio,
        max(value_ratio) filter (where target_key = 'biosimilar_ingredient_reached') as reached_from_share_ratio
    from {{ ref('dim_target') }}
),

listed_count as (
    select
        period_kind,
        period,
        months_in_period,
        count(*) as ingredient_count,
        count_if(is_esa) as esa_count
    from {{ ref('int_listed_ingredient') }}
    group by period_kind, period, months_in_period
),

used as (
    select
        share.population_kind,
        share.population_key,
        share.place_level,
        share.place_key,
        share.geography,
        share.period_kind,
        share.period,
        listed.ingredient_key is not null as is_listed,
        listed.is_esa,
        listed.ingredient_key is not null and share.patient_count >= {{ var('kpi_least_patients') }} as is_used_by_n,
        listed.ingredient_key is not null
        and share.numerator >= (select target.reached_from_share_ratio from target) * share.denominator as is_reached
    from {{ ref('fct_biosimilar_share') }} as share
    left join {{ ref('int_listed_ingredient') }} as listed
        on
            share.ingredient_key = listed.ingredient_key
            and share.period_kind = listed.period_kind
            and share.period = listed.period
    where
        {{ touched(['period'], 'share') }}
        and share.scope = 'brand'
        and share.convention = 'claims_units'
        and share.setting = 'all'
),

used_count as (
    select
        population_kind,
        population_key,
        place_level,
        place_key,
        geography,
        period_kind,
        period,
        count_if(is_listed) as ingredient_count,
        count_if(is_listed and is_esa) as esa_count,
        count_if(is_reached) as reached_count,
        count_if(is_reached and is_esa) as reached_esa_count,
        count_if(is_used_by_n) as by_n_count,
        count_if(is_used_by_n and is_esa) as by_n_esa_count,
        count_if(is_used_by_n and is_reached) as by_n_reached_count,
        count_if(is_used_by_n and is_reached and is_esa) as by_n_reached_esa_count
    from used
    group by population_kind, population_key, place_level, place_key, geography, period_kind, period
),

over_each as (
    select
        used.*,
        listed.months_in_period,
        counted.denominator_kind,
        counted.counts[0] as of_denominator,
        counted.counts[1] as esa_of_denominator,
        counted.counts[2] as reached,
        counted.counts[3] as esa_reached
    from used_count as used
    inner join listed_count as listed on used.period_kind = listed.period_kind and used.period = listed.period
        lateral view explode(array(
            named_struct(
                'denominator_kind', 'listed',
                'counts', array(listed.ingredient_count, listed.esa_count, used.reached_count, used.reached_esa_count)
            ),
            named_struct(
                'denominator_kind', 'used',
                'counts', array(used.ingredient_count, used.esa_count, used.reached_count, used.reached_esa_count)
            ),
            named_struct(
                'denominator_kind', 'used_by_n_patients',
                'counts', array(used.by_n_count, used.by_n_esa_count, used.by_n_reached_count, used.by_n_reached_esa_count)
            )
        )) as counted
)

select
    kpi.population_kind,
    kpi.population_key,
    kpi.place_level,
    kpi.place_key,
    kpi.geography,
    kpi.period_kind,
    kpi.period,
    kpi.denominator_kind,
    cast(kpi.of_denominator as int) as ingredient_count,
    cast(kpi.reached as int) as reached_ingredient_count,
    cast(kpi.esa_of_denominator as int) as esa_ingredient_count,
    cast(kpi.esa_reached as int) as esa_reached_ingredient_count,
    {{ ratio('kpi.reached', 'kpi.of_denominator') }} as kpi_ratio,
    target.target_ratio,
    target.reached_from_share_ratio,
    kpi.months_in_period
from over_each as kpi
cross join target
where kpi.of_denominator > 0
