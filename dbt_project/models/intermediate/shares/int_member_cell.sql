{{ config(materialized='table', replace_by=['insurer_number', 'service_month']) }}

select
    member.insurer_number,
    member.service_month,
    {{ known_prefecture('left(member.residence_municipality, 2)') }} as residence_prefecture_code,
    {{ known_prefecture('insurer.prefecture_code') }} as enrolment_prefecture_code,
    count(distinct member.person_id) as member_count
from {{ ref('stg_claims__member_month') }} as member
inner join {{ ref('stg_masters__insurer') }} as insurer on member.insurer_number = insurer.insurer_number
group by
    member.insurer_number,
    member.service_month,
    residence_prefecture_code,
    enrolment_prefecture_code
