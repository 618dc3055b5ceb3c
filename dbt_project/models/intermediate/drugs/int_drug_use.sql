{{ config(materialized='table', liquid_by=['insurer_number', 'service_month'], replace_by=['insurer_number', 'service_month']) }}

with use as (
    select
        claim.claim_key,
        drug.line_no,
        claim.insurer_number,
        claim.person_id,
        claim.service_month,
        claim.claim_kind,
        claim.setting,
        drug.bundle_kind,
        claim.facility_code,
        claim.prescriber_facility_code,
        left(claim.facility_code, 2) as facility_prefecture,
        left(claim.prescriber_facility_code, 2) as prescriber_prefecture,
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
    where drug.bundle_kind is distinct from 'dpc' -- its price is the hospital's cost; NDB Open Data has none of these
)

select
    claim_key,
    line_no,
    insurer_number,
    person_id,
    service_month,
    claim_kind,
    setting,
    bundle_kind,
    facility_code,
    prescriber_facility_code,
    case when facility_prefecture between '01' and '47' then facility_prefecture else '00' end as facility_prefecture_code,
    case when prescriber_prefecture between '01' and '47' then prescriber_prefecture else '00' end as prescriber_prefecture_code,
    drug_code,
    ingredient_key,
    product_role,
    share_side,
    quantity_claim_unit,
    cast(quantity_claim_unit / claim_units_per_price_list_unit as decimal(24, 12)) as quantity_price_list_unit,
    cast(quantity_claim_unit / claim_units_per_share_unit as decimal(24, 12)) as quantity_share_unit,
    price_yen,
    reference_price_yen,
    cast(quantity_claim_unit * price_yen as decimal(28, 9)) as value_yen,
    cast(quantity_claim_unit * saving_yen_per_claim_unit as decimal(28, 12)) as saving_yen
from use
