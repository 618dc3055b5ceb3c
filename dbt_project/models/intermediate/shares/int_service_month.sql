{{ config(materialized='table', replace_by=['service_month']) }}

with seen as (
    select distinct
        claim.service_month,
        try_to_date(concat(claim.service_month, '01'), 'yyyyMMdd') as first_day
    from {{ ref('stg_claims__claim') }} as claim
    left semi join {{ ref('stg_masters__insurer') }} as insurer on claim.insurer_number = insurer.insurer_number
),

revision as (
    select break_date
    from {{ source('masters', 'structural_break') }}
    where break_kind = 'price_revision'
)

select
    seen.service_month,
    seen.first_day,
    last_day(seen.first_day) as last_day,
    year(add_months(seen.first_day, -3)) as fiscal_year,
    coalesce(date_format(max(revision.break_date), 'yyyy-MM'), 'unknown') as price_vintage
from seen
left join revision on seen.first_day >= revision.break_date
where seen.first_day is not null
group by seen.service_month, seen.first_day
