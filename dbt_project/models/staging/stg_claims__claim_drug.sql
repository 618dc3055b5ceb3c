select
    claim_key,
    file_sha256,
    line_no,
    drug_code,
    quantity_claim_unit,
    bundle_kind
from {{ source('silver', 'claim_drug') }}
