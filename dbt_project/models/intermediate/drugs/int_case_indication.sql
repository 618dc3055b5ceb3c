-- a 調剤 claim has no diagnoses: those of the prescribing facility's claims of the person and month are read for it, and for its own lines
with case_diagnosis as (
    select distinct
        claim.insurer_number,
        claim.person_id,
        claim.service_month,
        claim.facility_code,
        month.last_day,
        diagnosis.icd10_code
    from {{ ref('stg_claims__claim') }} as claim
    inner join {{ ref('stg_claims__confirmed_diagnosis') }} as diagnosis
        on claim.claim_key = diagnosis.claim_key and claim.file_sha256 = diagnosis.file_sha256
    inner join {{ ref('int_service_month') }} as month on claim.service_month = month.service_month
    where claim.person_id is not null
),

fitting as (
    select
        diagnosis.*,
        indication.ingredient_key,
        indication.therapeutic_area_key,
        indication.is_covered,
        rank() over (
            partition by
                diagnosis.insurer_number,
                diagnosis.person_id,
                diagnosis.service_month,
                diagnosis.facility_code,
                diagnosis.icd10_code,
                indication.ingredient_key
            order by length(indication.icd10_prefix) desc
        ) as fit
    from case_diagnosis as diagnosis
    inner join {{ ref('stg_masters__biosimilar_indication') }} as indication
        on
            startswith(diagnosis.icd10_code, indication.icd10_prefix)
            and diagnosis.last_day between indication.valid_from and indication.valid_to
)

select
    insurer_number,
    person_id,
    service_month,
    facility_code,
    ingredient_key,
    case
        when every(coalesce(is_covered, false)) then true
        when not some(coalesce(is_covered, true)) then false
    end as is_indication_covered,
    case when count(distinct therapeutic_area_key) = 1 then max(therapeutic_area_key) end as therapeutic_area_key
from fitting
where fit = 1
group by insurer_number, person_id, service_month, facility_code, ingredient_key
