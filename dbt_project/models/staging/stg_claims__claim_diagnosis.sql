select
    claim_key,
    insurer_number,
    service_month,
    file_sha256,
    disease_code
from {{ source('silver', 'claim_diagnosis') }}
where not coalesce(is_suspected, false) -- 疑い is no indication
