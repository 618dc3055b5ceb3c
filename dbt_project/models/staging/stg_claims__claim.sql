select
    claim.claim_key,
    claim.insurer_number,
    claim.depositor_number,
    claim.file_sha256,
    claim.claim_month,
    claim.service_month,
    claim.claim_kind,
    case
        when claim.setting = 'inpatient' then 'inpatient'
        when claim.claim_kind = 'pha' then 'outpatient_pharmacy'
        else 'outpatient_in_hospital'
    end as setting,
    claim.facility_code,
    case when claim.claim_kind = 'pha' then claim.prescriber_facility_code else claim.facility_code end as prescriber_facility_code,
    claim.person_id1,
    coalesce(link.person_id, claim.person_id1) as person_id, -- one person over a changed number or key
    claim.sex,
    claim.age
from {{ source('silver', 'claim') }} as claim
left join {{ source('silver', 'person_link') }} as link
    on claim.insurer_number = link.insurer_number and claim.person_id1 = link.person_id1
where
    claim.known_to_claim_month = 999912
    and claim.insurer_number is not null
