select
    claim_key,
    insurer_number,
    service_month,
    file_sha256,
    payer_order,
    law_number,
    points_decided,
    copay_amount_yen
from {{ source('silver', 'claim_payer') }}
where payer_order > 0
