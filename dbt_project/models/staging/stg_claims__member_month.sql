select
    member.insurer_number,
    member.person_id1,
    coalesce(link.person_id, member.person_id1) as person_id,
    member.service_month,
    concat(member.insurer_number, '/', coalesce(member.employer_id, member.workplace_id)) as employer_key,
    member.residence_municipality
from {{ source('silver', 'member_month') }} as member
left join {{ source('silver', 'person_link') }} as link
    on member.insurer_number = link.insurer_number and member.person_id1 = link.person_id1
