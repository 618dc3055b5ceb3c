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
    claim.age,
    claim.beneficiary_class,
    claim.points_decided,
    claim.special_notes,
    case
        when claim.benefit_rate is not null then 100 - claim.benefit_rate
        when claim.beneficiary_class = '未就学' then 20
        when claim.beneficiary_class = '高齢一般' and substr(claim.receipt_type, 2, 1) <> '3' then 20
        when claim.beneficiary_class = '高齢一般' and claim.special_notes rlike '^([0-9][0-9])*(20|41|43)' then 20 -- 75歳以上 二割
        when claim.beneficiary_class = '高齢一般' then 10
        when claim.beneficiary_class in ('本人', '家族', '高齢7割') then 30
    end as patient_percent
from {{ source('silver', 'claim') }} as claim
left join {{ source('silver', 'person_link') }} as link
    on claim.insurer_number = link.insurer_number and claim.person_id1 = link.person_id1
where
    claim.known_to_claim_month = 999912
    and claim.insurer_number is not null
