{{ config(materialized='table') }}

-- any product of the ingredient counts as use, SAME and what a DPC bundle paid too: a change of product is no start
with used as (
    select distinct
        insurer_number,
        person_id,
        ingredient_key,
        service_month,
        {{ month_number('service_month') }} as month_number
    from {{ ref('int_drug_line') }}
    where person_id is not null
),

first_month as (
    select min({{ month_number('service_month') }}) as month_number from {{ ref('int_service_month') }}
),

history as (
    select
        insurer.insurer_number,
        greatest(first_month.month_number, {{ month_number('insurer.start_claim_month') }} - 1) as first_month_number
    from {{ ref('stg_masters__insurer') }} as insurer
    cross join first_month
),

after as (
    select
        *,
        month_number - max(month_number) over (
            partition by insurer_number, person_id, ingredient_key
            order by month_number
            range between unbounded preceding and 1 preceding
        ) as months_since_last_use
    from used
),

start as (
    select after.*
    from after
    inner join history on after.insurer_number = history.insurer_number
    where
        coalesce(after.months_since_last_use > 12, true)
        and after.month_number - 12 >= history.first_month_number
),

insured_month as (
    select distinct
        insurer_number,
        person_id,
        {{ month_number('service_month') }} as month_number
    from {{ ref('stg_claims__member_month') }}
),

with_file as (
    select distinct insurer_number from insured_month
),

-- where the insurer gives a member file, who was not insured in all twelve months before was not observed
observed as (
    select
        start.insurer_number,
        start.person_id,
        start.ingredient_key,
        start.service_month,
        count(insured_month.month_number) as insured_month_count
    from start
    left join insured_month
        on
            start.insurer_number = insured_month.insurer_number
            and start.person_id = insured_month.person_id
            and insured_month.month_number between start.month_number - 12 and start.month_number - 1
    group by start.insurer_number, start.person_id, start.ingredient_key, start.service_month
)

select
    observed.insurer_number,
    observed.person_id,
    observed.ingredient_key,
    observed.service_month
from observed
left join with_file on observed.insurer_number = with_file.insurer_number
where with_file.insurer_number is null or observed.insured_month_count = 12
