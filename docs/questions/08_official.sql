-- 公式の全国値（NDBオープンデータ）は、いくつで、当組合とどれだけ離れているか。なぜか。
-- 差の大きさだけでは正誤を判断できない。理由の列（年度、年齢、保険者の構成、秘匿）とあわせて読む。
-- 公式値の幅は、秘匿されたセルと掲載の上限のために決まらない分。
select
    ingredient.ingredient_ja as "成分",
    own.patient_count as "当組合の患者数",
    round(100 * own.share_ratio, 1) as "当組合（％）",
    official.official_fiscal_year as "公式値の年度",
    round(100 * official.official_share_ratio_low, 1) || '〜' || round(100 * official.official_share_ratio_high, 1) as "公式値（％）",
    round(100 * (own.share_ratio - official.official_share_ratio), 1) as "差（ポイント）",
    official.reasons_ja as "差の理由として考えられるもの"
from marts.fct_biosimilar_share as own
inner join marts.fct_reconciliation as official
    using (period_kind, period, place_level, place_key, setting, ingredient_key, convention)
inner join marts.dim_ingredient as ingredient using (ingredient_key)
where
    own.population_kind = 'insurer'
    and own.place_level = 'nation'
    and own.geography = 'facility_of_use'
    and own.scope = 'brand'
    and own.setting = 'all'
    and own.convention = 'claims_units'
    and own.patient_count >= 10
    and own.period_kind = 'fiscal_year'
    and own.period = (select max(year.period) from marts.dim_period as year where year.period_kind = 'fiscal_year' and year.is_complete)
    and official.official_kind = 'ndb'
    and official.official_share_ratio is not null
order by abs(own.share_ratio - official.official_share_ratio) desc, own.ingredient_key
limit 5
