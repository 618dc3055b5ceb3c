select
    ingredient_key,
    indication_ja,
    therapeutic_area_key,
    icd10_prefix,
    is_covered,
    valid_from,
    coalesce(valid_to, date '9999-12-31') as valid_to
from {{ source('masters', 'biosimilar_indication') }}
