select
    yj_code,
    status_code between 2 and 5 as is_restricted, -- 限定出荷 2-4, 供給停止 5
    valid_from,
    coalesce(valid_to, date '9999-12-31') as valid_to
from {{ source('masters', 'supply_status') }}
where status_code is not null
