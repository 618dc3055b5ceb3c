with of_month as (
    select
        month.service_month,
        product.drug_code,
        max_by(struct(product.*), product.valid_from) as product
    from {{ ref('stg_masters__biosimilar_product') }} as product
    inner join {{ ref('int_service_month') }} as month
        on product.valid_from <= month.last_day and product.valid_to >= month.first_day
    group by month.service_month, product.drug_code
)

select
    service_month,
    drug_code,
    product.product_role,
    product.yakka_code_12,
    coalesce(product.reference_drug_code, drug_code) as form_key,
    coalesce(product.reference_units_per_unit, 1) as form_units_per_claim_unit
from of_month
where product.product_role in ('REF', 'BS', 'bioAG')
