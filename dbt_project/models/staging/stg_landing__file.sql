-- the latest event is the state; what was counted stands on the event that counted it
with file as (
    select
        insurer_number,
        file_sha256,
        max_by(state, event_no) as state,
        max_by(claim_month, event_no) filter (where claim_month is not null) as claim_month,
        max_by(claim_kind, event_no) filter (where claim_kind is not null) as claim_kind,
        max_by(receipt_count, event_no) filter (where receipt_count is not null) as receipt_count,
        max_by(line_count, event_no) filter (where line_count is not null) as line_count,
        max_by(quarantine_count, event_no) filter (where quarantine_count is not null) as quarantine_count
    from {{ source('landing', 'delivery') }}
    group by insurer_number, file_sha256
)

select
    insurer_number,
    file_sha256,
    state,
    coalesce(claim_month, 0) as claim_month,
    coalesce(claim_kind, 'unknown') as claim_kind,
    receipt_count,
    line_count,
    quarantine_count
from file
where state not in ('superseded', 'withdrawn')
