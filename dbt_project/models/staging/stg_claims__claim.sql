select
    claim_key,
    insurer_number,
    depositor_number,
    file_sha256,
    claim_month,
    service_month,
    claim_kind,
    case
        when setting = 'inpatient' then 'inpatient'
        when claim_kind = 'pha' then 'outpatient_pharmacy'
        else 'outpatient_in_hospital'
    end as setting,
    facility_code,
    case when claim_kind = 'pha' then prescriber_facility_code else facility_code end as prescriber_facility_code,
    person_id1
from {{ source('silver', 'claim') }}
where
    known_to_claim_month = 999912
    and insurer_number is not null
