select
    month.service_month,
    month.price_vintage,
    period.period_kind,
    period.period
from {{ ref('int_service_month') }} as month
    lateral view explode(array(
        named_struct('period_kind', 'month', 'period', month.service_month),
        named_struct('period_kind', 'fiscal_year', 'period', month.fiscal_year)
    )) as period
