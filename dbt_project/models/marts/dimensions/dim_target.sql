select
    target_key,
    name_ja,
    owner_kind,
    owner_key,
    measure_key,
    value_ratio,
    due_date,
    valid_from,
    valid_to,
    source
from {{ source('masters', 'target') }}
