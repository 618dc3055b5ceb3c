select
    drug_code,
    yakka_code_12,
    valid_from,
    coalesce(valid_to, date '9999-12-31') as valid_to
from {{ source('masters', 'drug') }}
