select
    claim_key,
    insurer_number,
    claim_month,
    service_month,
    file_sha256,
    line_no,
    drug_code,
    quantity_claim_unit,
    bundle_kind,
    is_paid_by_insurer
from {{ source('silver', 'claim_drug') }}
