{{ config(materialized='table', replace_by=['insurer_number', 'service_month']) }}

with line as (
    select
        claim.insurer_number,
        left(claim.facility_code, 2) as facility_prefecture,
        left(claim.prescriber_facility_code, 2) as prescriber_prefecture,
        claim.claim_kind,
        claim.setting,
        claim.service_month,
        coalesce(drug.bundle_kind = 'dpc', false) as is_dpc_bundled,
        drug.drug_code,
        drug.quantity_claim_unit
    from {{ ref('stg_claims__claim') }} as claim
    inner join {{ ref('stg_claims__claim_drug') }} as drug
        on
            claim.insurer_number = drug.insurer_number and claim.service_month = drug.service_month
            and claim.claim_key = drug.claim_key and claim.file_sha256 = drug.file_sha256
    where drug.quantity_claim_unit is not null
)

select
    insurer_number,
    case when facility_prefecture between '01' and '47' then facility_prefecture else '00' end as facility_prefecture_code,
    case when prescriber_prefecture between '01' and '47' then prescriber_prefecture else '00' end as prescriber_prefecture_code,
    claim_kind,
    setting,
    service_month,
    is_dpc_bundled,
    drug_code,
    sum(quantity_claim_unit) as quantity_claim_unit
from line
group by
    insurer_number,
    facility_prefecture_code,
    prescriber_prefecture_code,
    claim_kind,
    setting,
    service_month,
    is_dpc_bundled,
    drug_code
