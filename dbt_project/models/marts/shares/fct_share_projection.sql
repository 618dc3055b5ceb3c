{{ config(replace_by=['population_key']) }}
{%- set measured = "'biosimilar_quantity_share', 'biosimilar_kpi'" %}
{%- set t_quantile = 2.228138852 %} {# 97.5 % of Student's t with 12 - 2 degrees of freedom #}

with last_month as (
    select
        max(period) as service_month,
        {{ month_number('max(period)') }} as month_number,
        last_day(to_date(concat(max(period), '01'), 'yyyyMMdd')) as last_day
    from {{ ref('dim_period') }}
    where period_kind = 'month'
),

listed as (
    select
        listed.ingredient_key,
        count(*) over () as listed_count
    from {{ ref('int_listed_ingredient') }} as listed
    inner join last_month on listed.period_kind = 'month' and listed.period = last_month.service_month
),

-- half a patient on either side, so that shares of 0 and 1 have a logit too
observed as (
    select
        share.population_kind,
        share.population_key,
        share.place_level,
        share.place_key,
        share.geography,
        share.ingredient_key,
        listed.listed_count,
        share.numerator,
        share.denominator,
        case
            when share.patient_count > 0
                then cast({{ month_number('share.period') }} - last_month.month_number as double)
        end as months_from_last,
        cast(share.share_ratio * share.patient_count as double) + 0.5 as bs_persons,
        cast((1 - share.share_ratio) * share.patient_count as double) + 0.5 as ref_persons
    from {{ ref('fct_biosimilar_share') }} as share
    inner join listed on share.ingredient_key = listed.ingredient_key
    inner join last_month
        on {{ month_number('share.period') }} between last_month.month_number - 11 and last_month.month_number
    where
        {{ touched(['population_key'], 'share') }}
        and {{ within_last_year('share.period') }}
        and share.scope = 'brand'
        and share.convention = 'claims_units'
        and share.setting = 'all'
        and share.period_kind = 'month'
        and (share.population_kind = 'all' or (share.population_kind = 'insurer' and share.place_level = 'nation'))
),

with_logit as (
    select
        *,
        ln(bs_persons / ref_persons) as logit,
        1 / bs_persons + 1 / ref_persons as logit_variance
    from observed
),

-- months differ from their line by no less than so few patients make them
line as (
    select
        population_kind,
        population_key,
        place_level,
        place_key,
        geography,
        ingredient_key,
        listed_count,
        sum(numerator) as numerator,
        sum(denominator) as denominator,
        count(months_from_last) as month_count,
        regr_intercept(logit, months_from_last) as intercept,
        regr_slope(logit, months_from_last) as slope,
        regr_avgx(logit, months_from_last) as mean_month,
        regr_sxx(logit, months_from_last) as month_squares,
        greatest(
            (regr_syy(logit, months_from_last) - regr_slope(logit, months_from_last) * regr_sxy(logit, months_from_last)) / (12 - 2),
            avg(logit_variance)
        ) as residual_variance
    from with_logit
    group by population_kind, population_key, place_level, place_key, geography, ingredient_key, listed_count
),

target as (
    select
        target.*,
        last_month.service_month as last_service_month,
        year(target.due_date) * 100 + month(target.due_date) as due_service_month,
        year(target.due_date) * 12 + month(target.due_date) - last_month.month_number as months_ahead,
        max(if(target.target_key = 'biosimilar_ingredient_reached', target.value_ratio, null)) over () as reached_from
    from {{ ref('dim_target') }} as target
    inner join last_month on last_month.last_day between target.valid_from and coalesce(target.valid_to, date '9999-12-31')
    where target.measure_key in ({{ measured }})
),

-- a line to the due month of each target of whom it concerns, with the prediction interval of a single month there
ahead as (
    select
        line.population_kind,
        line.population_key,
        line.place_level,
        line.place_key,
        line.geography,
        line.ingredient_key,
        line.listed_count,
        target.target_key,
        target.measure_key,
        target.value_ratio as target_ratio,
        target.reached_from,
        target.last_service_month,
        target.due_service_month,
        line.numerator >= target.reached_from * line.denominator as is_reached,
        {{ ratio('cast(line.numerator as decimal(26, 12))', 'cast(line.denominator as decimal(26, 12))') }} as current_ratio,
        case
            when target.months_ahead <= 0 then 'due_date_passed'
            when line.month_count < 12 then 'fewer_than_12_months'
        end as not_computable_reason,
        line.intercept + line.slope * target.months_ahead as logit,
        {{ t_quantile }} * sqrt(
            line.residual_variance * (1 + 1 / 12 + power(target.months_ahead - line.mean_month, 2) / line.month_squares)
        ) as half_interval
    from line
    left join {{ ref('dim_insurer') }} as insurer
        on line.population_kind = 'insurer' and line.population_key = insurer.insurer_number
    inner join target
        on
            target.owner_kind = 'nation'
            or (target.owner_kind = 'prefecture' and line.place_level = 'prefecture' and line.place_key = target.owner_key)
            or (target.owner_kind = 'insurer' and line.population_key = target.owner_key)
            or (target.owner_kind = 'insurer_kind' and insurer.insurer_kind = target.owner_key)
),

projected as (
    select
        *,
        case when not_computable_reason is null then cast(round(1 / (1 + exp(-logit)), 6) as decimal(7, 6)) end as projected_ratio,
        case
            when not_computable_reason is null then cast(round(1 / (1 + exp(half_interval - logit)), 6) as decimal(7, 6))
        end as projected_ratio_low,
        case
            when not_computable_reason is null then cast(round(1 / (1 + exp(-half_interval - logit)), 6) as decimal(7, 6))
        end as projected_ratio_high
    from ahead
),

-- an ingredient without a line of its own stays as it is, could fall below, could rise above
counted as (
    select
        population_kind,
        population_key,
        place_level,
        place_key,
        geography,
        target_key,
        target_ratio,
        last_service_month,
        due_service_month,
        max(listed_count) as listed_count,
        count_if(is_reached) as reached_count,
        count_if(if(projected_ratio is null, is_reached, projected_ratio >= reached_from)) as projected_count,
        count_if(projected_ratio_low >= reached_from) as projected_count_low,
        count_if(coalesce(projected_ratio_high >= reached_from, true)) as projected_count_high,
        case
            when some(not_computable_reason = 'due_date_passed') then 'due_date_passed'
            when count(projected_ratio) = 0 then 'fewer_than_12_months'
        end as not_computable_reason
    from projected
    where measure_key = 'biosimilar_kpi'
    group by
        population_kind,
        population_key,
        place_level,
        place_key,
        geography,
        target_key,
        target_ratio,
        last_service_month,
        due_service_month
),

kpi as (
    select
        * except (projected_count, projected_count_low, projected_count_high),
        if(not_computable_reason is null, projected_count, null) as projected_count,
        if(not_computable_reason is null, projected_count_low, null) as projected_count_low,
        if(not_computable_reason is null, projected_count_high, null) as projected_count_high
    from counted
),

of_each as (
    select
        population_kind,
        population_key,
        place_level,
        place_key,
        geography,
        target_key,
        ingredient_key,
        target_ratio,
        last_service_month,
        due_service_month,
        current_ratio,
        projected_ratio,
        projected_ratio_low,
        projected_ratio_high,
        cast(null as int) as ingredient_count,
        cast(null as int) as projected_ingredient_count,
        cast(null as int) as projected_ingredient_count_low,
        cast(null as int) as projected_ingredient_count_high,
        not_computable_reason
    from projected
    where measure_key = 'biosimilar_quantity_share'
    union all
    select
        population_kind,
        population_key,
        place_level,
        place_key,
        geography,
        target_key,
        'all' as ingredient_key,
        target_ratio,
        last_service_month,
        due_service_month,
        {{ ratio('reached_count', 'listed_count') }} as current_ratio,
        cast({{ ratio('projected_count', 'listed_count') }} as decimal(7, 6)) as projected_ratio,
        cast({{ ratio('projected_count_low', 'listed_count') }} as decimal(7, 6)) as projected_ratio_low,
        cast({{ ratio('projected_count_high', 'listed_count') }} as decimal(7, 6)) as projected_ratio_high,
        cast(listed_count as int) as ingredient_count,
        cast(projected_count as int) as projected_ingredient_count,
        cast(projected_count_low as int) as projected_ingredient_count_low,
        cast(projected_count_high as int) as projected_ingredient_count_high,
        not_computable_reason
    from kpi
)

select
    *,
    case
        when projected_ratio_low >= target_ratio then 'above'
        when projected_ratio_high < target_ratio then 'below'
        when projected_ratio is not null then 'open'
    end as outlook
from of_each
