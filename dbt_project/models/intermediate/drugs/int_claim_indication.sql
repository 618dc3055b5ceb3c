{{ config(materialized='table', replace_by=['insurer_number', 'service_month']) }}

with used as (
    select distinct
        insurer_number,
        service_month,
        claim_key,
        claim_kind,
        person_id,
        prescriber_facility_code,
        ingredient_key
    from {{ ref('int_drug_use') }}
),

claim as (
    select
        claim.insurer_number,
        claim.service_month,
        claim.claim_key,
        claim.file_sha256,
        claim.claim_kind,
        claim.person_id,
        claim.facility_code
    from {{ ref('stg_claims__claim') }} as claim
    left semi join used
        on
            claim.insurer_number = used.insurer_number
            and claim.service_month = used.service_month
            and claim.person_id = used.person_id
),

-- a claim of a pharmacy (調剤) has no diagnosis: those of the hospital that prescribed stand for it
stands_for as (
    select
        used.insurer_number,
        used.service_month,
        used.claim_key,
        used.ingredient_key,
        claim.claim_key as diagnosed_claim_key,
        claim.file_sha256
    from used
    inner join claim
        on
            used.insurer_number = claim.insurer_number
            and used.service_month = claim.service_month
            and used.person_id = claim.person_id
            and (
                used.claim_key = claim.claim_key
                or (used.claim_kind = 'pha' and claim.claim_kind <> 'pha' and used.prescriber_facility_code = claim.facility_code)
            )
),

diagnosed as (
    select distinct
        stands_for.insurer_number,
        stands_for.service_month,
        stands_for.claim_key,
        stands_for.ingredient_key,
        disease.icd10_code
    from stands_for
    inner join {{ ref('stg_claims__claim_diagnosis') }} as diagnosis
        on
            stands_for.insurer_number = diagnosis.insurer_number
            and stands_for.service_month = diagnosis.service_month
            and stands_for.diagnosed_claim_key = diagnosis.claim_key
            and stands_for.file_sha256 = diagnosis.file_sha256
    inner join {{ ref('int_service_month') }} as month on stands_for.service_month = month.service_month
    inner join {{ ref('stg_masters__disease') }} as disease
        on
            diagnosis.disease_code = disease.disease_code
            and month.last_day >= disease.valid_from
            and month.first_day <= disease.valid_to
),

-- the longest prefix that fits a diagnosis decides
indicated as (
    select
        diagnosed.insurer_number,
        diagnosed.service_month,
        diagnosed.claim_key,
        diagnosed.ingredient_key,
        diagnosed.icd10_code,
        max_by(
            struct(indication.therapeutic_area_keys, indication.coverages), length(indication.icd10_prefix)
        ) as fitting
    from diagnosed
    inner join {{ ref('int_indication_month') }} as indication
        on
            diagnosed.service_month = indication.service_month
            and diagnosed.ingredient_key = indication.ingredient_key
            and startswith(diagnosed.icd10_code, indication.icd10_prefix)
    group by
        diagnosed.insurer_number,
        diagnosed.service_month,
        diagnosed.claim_key,
        diagnosed.ingredient_key,
        diagnosed.icd10_code
),

gathered as (
    select
        indicated.insurer_number,
        indicated.service_month,
        indicated.claim_key,
        indicated.ingredient_key,
        array_distinct(flatten(collect_list(indicated.fitting.therapeutic_area_keys))) as areas,
        array_distinct(flatten(collect_list(indicated.fitting.coverages))) as coverages
    from indicated
    group by indicated.insurer_number, indicated.service_month, indicated.claim_key, indicated.ingredient_key
)

select
    insurer_number,
    service_month,
    claim_key,
    ingredient_key,
    if(size(areas) = 1, areas[0], 'several') as therapeutic_area_key,
    case
        when coverages = array('true') then 'indication_covered'
        when coverages = array('false') then 'indication_not_covered'
        else 'indication_unknown'
    end as coverage
from gathered
