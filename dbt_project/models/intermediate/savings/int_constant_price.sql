with base_month as (
    select
        to_date('{{ var("constant_price_month") }}01', 'yyyyMMdd') as first_day,
        last_day(to_date('{{ var("constant_price_month") }}01', 'yyyyMMdd')) as last_day
),

product as (
    select
        product.drug_code,
        max_by(struct(product.*), product.valid_from) as of_month
    from {{ ref('stg_masters__biosimilar_product') }} as product
    inner join base_month on product.valid_from <= base_month.last_day and product.valid_to >= base_month.first_day
    group by product.drug_code
),

price as (
    select
        price.drug_code,
        max_by(price.price_yen, price.valid_from) as price_yen
    from {{ ref('stg_masters__drug_price') }} as price
    inner join base_month on price.valid_from <= base_month.last_day and price.valid_to >= base_month.first_day
    group by price.drug_code
)

select
    product.drug_code,
    cast(reference.price_yen * product.of_month.reference_units_per_unit - price.price_yen as decimal(18, 9)) as saving_yen_per_claim_unit
from product
inner join price on product.drug_code = price.drug_code
inner join price as reference on product.of_month.reference_drug_code = reference.drug_code
where product.of_month.product_role in ('BS', 'bioAG')
