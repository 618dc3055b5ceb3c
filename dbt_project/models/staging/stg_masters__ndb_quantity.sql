select
    fiscal_year,
    ndb_round,
    setting,
    cell_kind,
    cell_key,
    drug_code,
    quantity_claim_unit,
    is_hidden,
    cast(hidden_below as decimal(24, 5)) as hidden_below
from {{ source('masters', 'ndb_quantity') }}
