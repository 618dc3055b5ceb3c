-- 先行品は、入院・外来（院内）・外来（院外）のどこに残っているか。
-- 金額（薬価ベース）で見る。院外は薬局が渡した分で、処方した病院は別の所在地のことがある。
-- 入院のうちDPCの包括分は、病院の薬剤費になるため含まれない。
select
    setting as "入院・外来の別",
    patient_count as "患者数（人）",
    round(denominator) as "対象の薬剤費（円）",
    round(denominator - numerator) as "先行品の薬剤費（円）",
    round(100 * share_ratio, 1) as "金額シェア（％）",
    round(100 * (denominator - numerator) / nullif(sum(denominator - numerator) over (), 0), 1) as "残りに占める割合（％）"
from marts.fct_biosimilar_share
where
    population_kind = 'insurer'
    and place_level = 'nation'
    and geography = 'facility_of_use'
    and scope = 'brand'
    and ingredient_key = 'all'
    and setting <> 'all'
    and convention = 'value'
    and period_kind = 'fiscal_year'
    and period = (select max(year.period) from marts.dim_period as year where year.period_kind = 'fiscal_year' and year.is_complete)
order by denominator - numerator desc, setting
