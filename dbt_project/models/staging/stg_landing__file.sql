-- the latest event of a file is its state; the counts stand in the event that took it into bronze
with latest as (
    select
        max_by(struct(*), event_no) as event,
        max_by(receipt_count, event_no) filter (where line_count is not null) as receipt_count,
        max_by(line_count, event_no) filter (where line_count is not null) as line_count,
        max_by(quarantine_count, event_no) filter (where line_count is not null) as quarantine_count
    from {{ source('landing', 'delivery') }}
    group by insurer_number, file_sha256
)

select
    event.insurer_number,
    event.file_sha256,
    event.state,
    coalesce(event.claim_month, 0) as claim_month,
    coalesce(event.claim_kind, 'unknown') as claim_kind,
    receipt_count,
    line_count,
    quarantine_count
from latest
where event.state not in ('superseded', 'withdrawn')
