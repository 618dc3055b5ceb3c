select
    ingredient_key,
    ingredient_ja,
    reference_brand_ja,
    therapeutic_area_ja,
    first_bs_listing_month,
    is_in_kpi_denominator
from {{ source('masters', 'biosimilar_ingredient') }}
