{{ config(materialized='table', replace_by=['insurer_number', 'service_month']) }}

with placed as (
    select
        use.*,
        place.geography,
        place.prefecture_code
    from {{ ref('int_drug_use') }} as use
        lateral view explode(array(
            named_struct('geography', 'facility_of_use', 'prefecture_code', use.facility_prefecture_code),
            named_struct('geography', 'prescriber', 'prefecture_code', use.prescriber_prefecture_code)
        )) as place
    where
        use.share_side is not null
        and use.quantity_claim_unit is not null
)

select
    insurer_number,
    geography,
    prefecture_code,
    ingredient_key,
    setting,
    service_month,
    coalesce(sum(quantity_share_unit) filter (where share_side = 'bs'), 0) as bs_quantity,
    sum(quantity_share_unit) as quantity,
    coalesce(sum(value_yen) filter (where share_side = 'bs'), 0) as bs_value_yen,
    coalesce(sum(value_yen), 0) as value_yen,
    coalesce(sum(quantity_share_unit) filter (where price_yen is null), 0) as unpriced_quantity,
    coalesce(sum(quantity_price_list_unit) filter (where saving_yen is not null), 0) as saving_quantity,
    coalesce(sum(saving_yen), 0) as saving_yen,
    coalesce(
        sum(quantity_price_list_unit) filter (where product_role in ('BS', 'bioAG') and saving_yen is null), 0
    ) as uncomputable_quantity
from placed
group by insurer_number, geography, prefecture_code, ingredient_key, setting, service_month
