{{ config(materialized='table', replace_by=['insurer_number', 'service_month']) }}

with line as (
    select
        claim.claim_key,
        drug.line_no,
        claim.insurer_number,
        claim.person_id,
        claim.person_id1,
        claim.sex,
        claim.age,
        claim.service_month,
        claim.claim_kind,
        claim.setting,
        drug.bundle_kind,
        claim.facility_code,
        claim.prescriber_facility_code,
        drug.drug_code,
        product.ingredient_key,
        product.product_role,
        product.share_side,
        drug.quantity_claim_unit,
        product.claim_units_per_price_list_unit,
        product.claim_units_per_share_unit,
        product.price_yen,
        product.reference_price_yen,
        product.saving_yen_per_claim_unit
    from {{ ref('stg_claims__claim') }} as claim
    inner join {{ ref('stg_claims__claim_drug') }} as drug
        on
            claim.insurer_number = drug.insurer_number and claim.service_month = drug.service_month
            and claim.claim_key = drug.claim_key and claim.file_sha256 = drug.file_sha256
    inner join {{ ref('int_product_month') }} as product
        on claim.service_month = product.service_month and drug.drug_code = product.drug_code
),

-- a municipality without a facility of the list has no known 二次医療圏
secondary_area as (
    select
        municipality_code,
        max_by(secondary_area_code, valid_from) as secondary_area_code
    from {{ ref('stg_masters__facility') }}
    where municipality_code is not null and secondary_area_code is not null
    group by municipality_code
),

form_month as (
    select distinct
        month.service_month,
        form.drug_code
    from {{ source('masters', 'biosimilar_form') }} as form
    inner join {{ ref('int_service_month') }} as month
        on form.valid_from <= month.last_day and coalesce(form.valid_to, date '9999-12-31') >= month.first_day
),

placed as (
    select
        line.*,
        insurer.prefecture_code as enrolment_prefecture,
        left(line.facility_code, 2) as facility_prefecture,
        of_use.place.secondary_area_code as facility_secondary_area,
        of_use.place.municipality_code as facility_municipality,
        left(line.prescriber_facility_code, 2) as prescriber_prefecture,
        of_prescriber.place.secondary_area_code as prescriber_secondary_area,
        of_prescriber.place.municipality_code as prescriber_municipality,
        left(member.residence_municipality, 2) as residence_prefecture,
        secondary_area.secondary_area_code as residence_secondary_area,
        member.residence_municipality,
        member.employer_key,
        case
            when line.product_role in ('BS', 'bioAG') then true
            when line.product_role = 'REF' then form.drug_code is not null
        end as is_same_form,
        coalesce(area.therapeutic_area_key, 'unknown') as therapeutic_area_key
    from line
    left join {{ ref('stg_masters__insurer') }} as insurer on line.insurer_number = insurer.insurer_number
    left join {{ ref('int_facility_month') }} as of_use
        on line.facility_code = of_use.facility_code and line.service_month = of_use.service_month
    left join {{ ref('int_facility_month') }} as of_prescriber
        on line.prescriber_facility_code = of_prescriber.facility_code and line.service_month = of_prescriber.service_month
    left join {{ ref('stg_claims__member_month') }} as member
        on
            line.insurer_number = member.insurer_number
            and line.person_id1 = member.person_id1
            and line.service_month = member.service_month
    left join secondary_area on member.residence_municipality = secondary_area.municipality_code
    left join form_month as form on line.drug_code = form.drug_code and line.service_month = form.service_month
    left join {{ source('masters', 'therapeutic_area') }} as area on line.drug_code = area.drug_code
)

select
    claim_key,
    line_no,
    insurer_number,
    person_id,
    sex,
    age,
    case
        when age is null then 'unknown'
        when age >= 90 then '90-'
        else concat(lpad(age div 10 * 10, 2, '0'), '-', lpad(age div 10 * 10 + 9, 2, '0'))
    end as age_group,
    employer_key,
    service_month,
    claim_kind,
    setting,
    bundle_kind,
    facility_code,
    prescriber_facility_code,
    {{ known_prefecture('facility_prefecture') }} as facility_prefecture_code,
    coalesce(facility_secondary_area, '00') as facility_secondary_area_code,
    coalesce(facility_municipality, '00') as facility_municipality_code,
    {{ known_prefecture('prescriber_prefecture') }} as prescriber_prefecture_code,
    coalesce(prescriber_secondary_area, '00') as prescriber_secondary_area_code,
    coalesce(prescriber_municipality, '00') as prescriber_municipality_code,
    {{ known_prefecture('residence_prefecture') }} as residence_prefecture_code,
    coalesce(residence_secondary_area, '00') as residence_secondary_area_code,
    coalesce(residence_municipality, '00') as residence_municipality_code,
    {{ known_prefecture('enrolment_prefecture') }} as enrolment_prefecture_code,
    drug_code,
    ingredient_key,
    therapeutic_area_key,
    product_role,
    share_side,
    is_same_form,
    quantity_claim_unit,
    cast(quantity_claim_unit / claim_units_per_price_list_unit as decimal(24, 12)) as quantity_price_list_unit,
    cast(quantity_claim_unit / claim_units_per_share_unit as decimal(24, 12)) as quantity_share_unit,
    price_yen,
    reference_price_yen,
    cast(quantity_claim_unit * price_yen as decimal(28, 9)) as value_yen,
    cast(quantity_claim_unit * saving_yen_per_claim_unit as decimal(28, 12)) as saving_yen
from placed
