with period as (
    select
        period_kind,
        period,
        min(service_month) as first_service_month,
        max(service_month) as last_service_month,
        cast(count(*) as int) as months_in_period
    from {{ ref('int_period_member') }}
    group by period_kind, period
)

select
    period_kind,
    period,
    case
        when period_kind = 'month' then concat(period div 100, '年', period % 100, '月')
        when months_in_period < 12 then concat(period, '年度（', months_in_period, 'か月分）')
        else concat(period, '年度')
    end as period_ja,
    first_service_month,
    last_service_month,
    months_in_period,
    months_in_period = if(period_kind = 'month', 1, 12) as is_complete
from period
