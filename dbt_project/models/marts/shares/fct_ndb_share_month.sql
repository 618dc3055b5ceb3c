with cell as (
    select
        ndb.fiscal_year,
        ndb.ndb_round,
        ndb.setting,
        cast(ndb.cell_key as int) as service_month,
        drug.ingredient_key,
        drug.share_side,
        ndb.is_hidden,
        coalesce(ndb.quantity_claim_unit, 0) / drug.claim_units_per_share_unit as quantity,
        -- a single month above 5 × the median of the drug's months with use, a hidden month as its threshold
        coalesce(
            ndb.quantity_claim_unit > 5 * median(
                case when ndb.is_hidden then ndb.hidden_below when ndb.quantity_claim_unit > 0 then ndb.quantity_claim_unit end
            ) over (partition by ndb.fiscal_year, ndb.setting, ndb.drug_code),
            false
        ) as is_outlier
    from {{ ref('stg_masters__ndb_quantity') }} as ndb
    inner join {{ ref('int_ndb_drug') }} as drug on ndb.drug_code = drug.drug_code
    where ndb.cell_kind = 'month'
),

by_month as (
    select
        fiscal_year,
        service_month,
        setting_level as setting,
        ingredient_key,
        cast(coalesce(sum(quantity) filter (where share_side = 'bs'), 0) as decimal(26, 12)) as bs_quantity,
        cast(coalesce(sum(quantity) filter (where share_side = 'ref'), 0) as decimal(26, 12)) as ref_quantity,
        count_if(is_hidden) as hidden_cell_count,
        count_if(is_outlier) as outlier_cell_count,
        max(ndb_round) as ndb_round
    from cell
        lateral view explode(array(setting, 'all')) as setting_level
    group by fiscal_year, service_month, setting_level, ingredient_key
),

by_period as (
    select
        month_or_year.period_kind,
        month_or_year.period,
        by_month.setting,
        by_month.ingredient_key,
        sum(by_month.bs_quantity) as bs_quantity,
        sum(by_month.bs_quantity + by_month.ref_quantity) as quantity,
        coalesce(sum(by_month.bs_quantity) filter (where by_month.outlier_cell_count = 0), 0) as bs_quantity_without_outliers,
        coalesce(
            sum(by_month.bs_quantity + by_month.ref_quantity) filter (where by_month.outlier_cell_count = 0), 0
        ) as quantity_without_outliers,
        cast(sum(by_month.hidden_cell_count) as int) as hidden_cell_count,
        cast(sum(by_month.outlier_cell_count) as int) as outlier_cell_count,
        max(by_month.ndb_round) as ndb_round
    from by_month
        lateral view explode(array(
            named_struct('period_kind', 'month', 'period', by_month.service_month),
            named_struct('period_kind', 'fiscal_year', 'period', by_month.fiscal_year)
        )) as month_or_year
    group by month_or_year.period_kind, month_or_year.period, by_month.setting, by_month.ingredient_key
),

exact as (
    select
        * except (bs_quantity, quantity, bs_quantity_without_outliers, quantity_without_outliers),
        cast(bs_quantity as decimal(26, 12)) as bs_quantity,
        cast(quantity as decimal(26, 12)) as quantity,
        cast(bs_quantity_without_outliers as decimal(26, 12)) as bs_quantity_without_outliers,
        cast(quantity_without_outliers as decimal(26, 12)) as quantity_without_outliers
    from by_period
)

select
    period_kind,
    period,
    setting,
    ingredient_key,
    cast(bs_quantity as decimal(24, 6)) as bs_quantity,
    cast(quantity - bs_quantity as decimal(24, 6)) as ref_quantity,
    case when quantity > 0 then {{ ratio('bs_quantity', 'quantity') }} end as share_ratio,
    case
        when quantity_without_outliers > 0 then {{ ratio('bs_quantity_without_outliers', 'quantity_without_outliers') }}
    end as share_ratio_without_outliers,
    outlier_cell_count,
    hidden_cell_count,
    concat('第', ndb_round, '回') as source_rounds
from exact
where quantity > 0 or hidden_cell_count > 0
