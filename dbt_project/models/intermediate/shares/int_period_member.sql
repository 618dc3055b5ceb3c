with month as (
    select
        service_month,
        price_vintage,
        fiscal_year,
        service_month div 100 - if(service_month % 100 < 3, 1, 0) as benefit_year,
        {{ month_number('service_month') }} as month_number
    from {{ ref('int_service_month') }}
),

-- every window of twelve months that are all in the data, by its last month
last_month as (
    select
        last.service_month,
        last.month_number
    from month as last
    inner join month as of_window on of_window.month_number between last.month_number - 11 and last.month_number
    group by last.service_month, last.month_number
    having count(*) = 12
)

select
    month.service_month,
    month.price_vintage,
    period.period_kind,
    period.period
from month
    lateral view explode(array(
        named_struct('period_kind', 'month', 'period', month.service_month),
        named_struct('period_kind', 'fiscal_year', 'period', month.fiscal_year),
        named_struct('period_kind', 'benefit_year', 'period', month.benefit_year)
    )) as period
union all
select
    month.service_month,
    month.price_vintage,
    'rolling_12' as period_kind,
    last_month.service_month as period
from month
inner join last_month on month.month_number between last_month.month_number - 11 and last_month.month_number
