select
    drug_code,
    yakka_code_12,
    ingredient_key,
    product_role,
    case
        when product_role = 'BS' then 'bs'
        when product_role = 'REF' then 'ref'
        when product_role = 'bioAG' then '{{ var("bioag_side") }}'
    end as share_side,
    claim_units_per_price_list_unit,
    {% if var('is_dose_converted_to_kit') -%}
        claim_units_per_price_list_unit
    {%- else -%}
        cast(1 as decimal(18, 5))
    {%- endif %} as claim_units_per_share_unit,
    reference_drug_code,
    reference_units_per_unit,
    valid_from,
    coalesce(valid_to, date '9999-12-31') as valid_to
from {{ source('masters', 'biosimilar_product') }}
