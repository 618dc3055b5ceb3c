with product as (
    select
        month.service_month,
        product.drug_code,
        max_by(struct(product.*), product.valid_from) as of_month
    from {{ ref('stg_masters__biosimilar_product') }} as product
    inner join {{ ref('int_service_month') }} as month
        on product.valid_from <= month.last_day and product.valid_to >= month.first_day
    group by month.service_month, product.drug_code
)

select
    product.service_month,
    product.drug_code,
    product.of_month.product_role,
    product.of_month.yakka_code_12,
    coalesce(product.of_month.reference_drug_code, product.drug_code) as form_key,
    coalesce(product.of_month.reference_units_per_unit, 1) as form_units_per_claim_unit
from product
where product.of_month.product_role in ('REF', 'BS', 'bioAG')
