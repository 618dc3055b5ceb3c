-- what a 9-digit code is does not change with time; a code counts in the years in which a price list held it
with product as (
    select
        drug_code,
        max_by(yakka_code_12, valid_from) as yakka_code_12,
        max_by(ingredient_key, valid_from) as ingredient_key,
        max_by(share_side, valid_from) as share_side,
        max_by(claim_units_per_share_unit, valid_from) as claim_units_per_share_unit
    from {{ ref('stg_masters__biosimilar_product') }}
    group by drug_code
),

priced as (
    select
        drug_code,
        min(valid_from) as first_day,
        max(valid_to) as last_day,
        min(min(valid_from)) over () as first_list
    from {{ ref('stg_masters__drug_price') }}
    where drug_code in (select product.drug_code from product)
    group by drug_code
)

select
    product.drug_code,
    product.ingredient_key,
    product.share_side,
    product.claim_units_per_share_unit,
    left(product.yakka_code_12, 3) as yakko_class_3,
    -- a code of the first list that was read may be older
    year(add_months(nullif(priced.first_day, priced.first_list), -3)) as first_priced_year,
    year(add_months(priced.last_day, -3)) as last_priced_year
from product
left join priced on product.drug_code = priced.drug_code
where product.share_side is not null
