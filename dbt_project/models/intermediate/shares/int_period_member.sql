select
    service_month,
    price_vintage,
    period.period_kind,
    period.period
from {{ ref('int_service_month') }}
lateral view explode(array(
    named_struct('period_kind', 'month', 'period', service_month),
    named_struct('period_kind', 'fiscal_year', 'period', fiscal_year)
)) as period
