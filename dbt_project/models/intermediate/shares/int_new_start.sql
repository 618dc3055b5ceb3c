-- any product of the ingredient counts as use, SAME and what a DPC bundle paid too: a change of product is no start
with used as (
    select distinct
        insurer_number,
        person_id,
        ingredient_key,
        service_month,
        service_month div 100 * 12 + service_month % 100 as month_number
    from {{ ref('int_drug_line') }}
    where person_id is not null
),

history as (
    select
        insurer.insurer_number,
        greatest(
            min(claim.service_month div 100 * 12 + claim.service_month % 100),
            min(insurer.start_claim_month div 100 * 12 + insurer.start_claim_month % 100 - 1)
        ) as first_month_number
    from {{ ref('stg_masters__insurer') }} as insurer
    inner join {{ ref('stg_claims__claim') }} as claim on insurer.insurer_number = claim.insurer_number
    group by insurer.insurer_number
),

after as (
    select
        used.*,
        used.month_number - max(used.month_number) over (
            partition by used.insurer_number, used.person_id, used.ingredient_key
            order by used.month_number
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

-- where the insurer gives a member file, who was not insured in all twelve months before was not observed
insured_month as (
    select distinct
        insurer_number,
        person_id,
        service_month div 100 * 12 + service_month % 100 as month_number
    from {{ ref('stg_claims__member_month') }}
),

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
    insurer_number,
    person_id,
    ingredient_key,
    service_month
from observed
where
    insured_month_count = 12
    or not exists (select 1 from {{ ref('stg_claims__member_month') }} as member where member.insurer_number = observed.insurer_number)
