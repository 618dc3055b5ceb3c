with product as (
    select
        month.service_month,
        product.drug_code,
        max_by(struct(product.*), product.valid_from) as of_month
    from {{ ref('stg_masters__biosimilar_product') }} as product
    inner join {{ ref('int_service_month') }} as month
        on product.valid_from <= month.last_day and product.valid_to >= month.first_day
    group by month.service_month, product.drug_code
),

price as (
    select
        month.service_month,
        price.drug_code,
        max_by(price.price_yen, price.valid_from) as price_yen
    from {{ ref('stg_masters__drug_price') }} as price
    left semi join {{ ref('stg_masters__biosimilar_product') }} as product on price.drug_code = product.drug_code
    inner join {{ ref('int_service_month') }} as month
        on price.valid_from <= month.last_day and price.valid_to >= month.first_day
    group by month.service_month, price.drug_code
)

select
    product.service_month,
    product.drug_code,
    product.of_month.ingredient_key,
    product.of_month.product_role,
    product.of_month.share_side,
    product.of_month.claim_units_per_price_list_unit,
    product.of_month.claim_units_per_share_unit,
    price.price_yen,
    reference.price_yen as reference_price_yen,
    case
        when product.of_month.product_role in ('BS', 'bioAG')
            then cast(reference.price_yen * product.of_month.reference_units_per_unit - price.price_yen as decimal(18, 9))
    end as saving_yen_per_claim_unit
from product
left join price
    on product.drug_code = price.drug_code and product.service_month = price.service_month
left join price as reference
    on product.of_month.reference_drug_code = reference.drug_code and product.service_month = reference.service_month
