select
    ingredient_key,
    ingredient_ja,
    reference_brand_ja,
    therapeutic_area_ja,
    first_bs_listing_month,
    is_in_kpi_denominator,
    ingredient_key in ({{ literals(var('esa_ingredients')) }}) as is_paid_by_dialysis_fee
from {{ ref('stg_masters__biosimilar_ingredient') }}
union all
select
    'all' as ingredient_key,
    '全成分' as ingredient_ja,
    null as reference_brand_ja,
    null as therapeutic_area_ja,
    null as first_bs_listing_month,
    false as is_in_kpi_denominator,
    false as is_paid_by_dialysis_fee
