-- the two lists speak of the same day; a price per claim unit is rounded to 0.1 or 0.01 yen, so each day leaves an interval of ratios
with bound as (
    select
        drug.drug_code,
        max(list.price_yen_per_list_unit / (price.price_yen + 0.05)) as at_least,
        min(list.price_yen_per_list_unit / (price.price_yen - 0.05)) as at_most
    from {{ ref('stg_masters__price_list_item') }} as list
    inner join {{ ref('stg_masters__drug') }} as drug
        on list.yakka_code_12 = drug.yakka_code_12 and list.valid_from between drug.valid_from and drug.valid_to
    inner join {{ ref('stg_masters__drug_price') }} as price
        on
            drug.drug_code = price.drug_code
            and list.valid_from between price.valid_from and price.valid_to
    where
        price.price_yen > 0.05
        -- an assumed price is that of FY2022 carried over: true in that year alone
        and (not price.is_assumed or list.valid_from between date '2022-04-01' and date '2023-03-31')
    group by drug.drug_code
),

of_lists as (
    select
        drug_code,
        cast(ceil(at_least) as decimal(18, 5)) as claim_units_per_list_unit
    from bound
    where ceil(at_least) = floor(at_most) -- one whole number, and no other
),

of_biologics as (
    select
        drug_code,
        max_by(claim_units_per_price_list_unit, valid_from) as claim_units_per_list_unit
    from {{ ref('stg_masters__biosimilar_product') }}
    group by drug_code
)

select
    drug_code,
    claim_units_per_list_unit
from of_biologics
union all
select
    of_lists.drug_code,
    of_lists.claim_units_per_list_unit
from of_lists
left anti join of_biologics on of_lists.drug_code = of_biologics.drug_code
