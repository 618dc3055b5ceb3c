with first_month as (
    select min(service_month) as service_month from {{ ref('int_service_month') }}
),

first_insurer as (
    select to_date(concat(min(start_claim_month), '01'), 'yyyyMMdd') as first_day from {{ ref('stg_masters__insurer') }}
),

-- twelve months after the first month of data of any insurer (int_new_start)
first_start as (
    select
        greatest(
            first_month.service_month + 100, cast(date_format(add_months(first_insurer.first_day, 11), 'yyyyMM') as int)
        ) as service_month
    from first_month
    cross join first_insurer
),

period as (
    select
        member.period_kind,
        member.period,
        min(member.service_month) as first_service_month,
        max(member.service_month) as last_service_month,
        cast(count(*) as int) as months_in_period,
        cast(count_if(member.service_month >= first_start.service_month) as int) as months_with_new_starts
    from {{ ref('int_period_member') }} as member
    cross join first_start
    group by member.period_kind, member.period
)

select
    period_kind,
    period,
    case
        when period_kind = 'month' then concat(period div 100, '年', period % 100, '月')
        when period_kind = 'rolling_12' then concat(period div 100, '年', period % 100, '月までの12か月')
        else
            concat(
                period,
                if(period_kind = 'fiscal_year', '年度', '年度（3月–翌2月）'),
                if(months_in_period < 12, concat('（', months_in_period, 'か月分）'), '')
            )
    end as period_ja,
    first_service_month,
    last_service_month,
    months_in_period,
    months_with_new_starts,
    months_in_period = if(period_kind = 'month', 1, 12) as is_complete
from period
