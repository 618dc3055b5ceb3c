-- Lines of a biologic outside the validity of its product are in no figure: a late code, or a product list that is too old.
{{ config(severity='warn', meta={'action': 'Check the product list (lake masters load) against these codes and months.'}) }}
select
    claim.service_month,
    drug.drug_code,
    count(*) as line_count
from {{ ref('stg_claims__claim') }} as claim
inner join {{ ref('stg_claims__claim_drug') }} as drug
    on
        claim.insurer_number = drug.insurer_number and claim.service_month = drug.service_month
        and claim.claim_key = drug.claim_key and claim.file_sha256 = drug.file_sha256
left semi join {{ ref('stg_masters__biosimilar_product') }} as product on drug.drug_code = product.drug_code
left anti join {{ ref('int_product_month') }} as listed
    on claim.service_month = listed.service_month and drug.drug_code = listed.drug_code
where {{ touched(['service_month'], 'claim') }}
group by claim.service_month, drug.drug_code
