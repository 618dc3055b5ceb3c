with latest as (
    select max_by(struct(*), event_no) as event
    from {{ source('landing', 'delivery') }}
    group by insurer_number, file_sha256
)

select
    event.insurer_number,
    event.file_sha256,
    event.state,
    coalesce(event.claim_month, 0) as claim_month,
    coalesce(event.claim_kind, 'unknown') as claim_kind,
    event.receipt_count,
    event.line_count,
    event.quarantine_count
from latest
where event.state not in ('superseded', 'withdrawn')
