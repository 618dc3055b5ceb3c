select
    period.period_kind,
    period.period,
    period.months_in_period,
    ingredient.ingredient_key,
    ingredient.is_paid_by_dialysis_fee as is_esa
from {{ ref('dim_period') }} as period
inner join {{ ref('dim_ingredient') }} as ingredient
    on period.last_service_month >= ingredient.first_bs_listing_month and ingredient.is_in_kpi_denominator
