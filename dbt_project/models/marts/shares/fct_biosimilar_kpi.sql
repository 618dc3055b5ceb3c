{{ config(replace_by=['population_key', 'period']) }}

with listed as (
    select
        period.period_kind,
        period.period,
        period.months_in_period,
        ingredient.ingredient_key
    from {{ ref('dim_period') }} as period
    inner join {{ ref('dim_ingredient') }} as ingredient
        on period.last_service_month >= ingredient.first_bs_listing_month and ingredient.is_in_kpi_denominator
),

listed_count as (
    select
        period_kind,
        period,
        months_in_period,
        count(*) as listed_ingredient_count
    from listed
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
        count(listed.ingredient_key) as used_ingredient_count,
        count_if(listed.ingredient_key is not null and share.numerator >= 0.8 * share.denominator) as reached_ingredient_count
    from {{ ref('fct_biosimilar_share') }} as share
    left join listed
        on
            share.ingredient_key = listed.ingredient_key
            and share.period_kind = listed.period_kind
            and share.period = listed.period
    where
        share.convention = 'claims_units'
        and share.setting = 'all'
    group by
        share.population_kind,
        share.population_key,
        share.place_level,
        share.place_key,
        share.geography,
        share.period_kind,
        share.period
),

over_both as (
    select
        used.*,
        listed_count.months_in_period,
        counted.denominator_kind,
        cast(counted.ingredient_count as int) as ingredient_count
    from used
    inner join listed_count on used.period_kind = listed_count.period_kind and used.period = listed_count.period
        lateral view explode(array(
            named_struct('denominator_kind', 'listed', 'ingredient_count', listed_count.listed_ingredient_count),
            named_struct('denominator_kind', 'used', 'ingredient_count', used.used_ingredient_count)
        )) as counted
)

select
    population_kind,
    population_key,
    place_level,
    place_key,
    geography,
    period_kind,
    period,
    denominator_kind,
    ingredient_count,
    cast(reached_ingredient_count as int) as reached_ingredient_count,
    {{ ratio('reached_ingredient_count', 'ingredient_count') }} as kpi_ratio,
    cast(0.6 as decimal(9, 8)) as target_ratio,
    cast(0.8 as decimal(9, 8)) as reached_from_share_ratio,
    months_in_period
from over_both
where ingredient_count > 0
