select
    drug_code,
    price_yen,
    is_assumed,
    valid_from,
    coalesce(valid_to, date '9999-12-31') as valid_to
from {{ source('masters', 'drug_price') }}
