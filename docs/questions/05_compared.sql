-- 参加保険者の合計と比べて、どの成分の数量シェアが低いか。
-- 他の保険者を含む合計は、患者が10人未満のとき、または差し引きで分かるときに秘匿される（docs/privacy.md）。
-- 患者数が少ないと差は偶然でも生じる。読むときは両方の患者数を見る。
select
    ingredient.ingredient_ja as "成分",
    own.patient_count as "当組合の患者数",
    round(100 * own.share_ratio, 1) as "当組合（％）",
    coalesce(total.patient_count::text, total.hidden_ja) as "合計の患者数",
    coalesce(round(100 * total.share_ratio, 1)::text, total.hidden_ja) as "合計（％）",
    round(100 * (own.share_ratio - total.share_ratio), 1) as "差（ポイント）"
from marts.fct_biosimilar_share as own
inner join marts.fct_biosimilar_share as total
    on
        own.ingredient_key = total.ingredient_key
        and own.place_level = total.place_level
        and own.place_key = total.place_key
        and own.geography = total.geography
        and own.scope = total.scope
        and own.setting = total.setting
        and own.period_kind = total.period_kind
        and own.period = total.period
        and own.convention = total.convention
        and total.population_kind = 'all'
inner join marts.dim_ingredient as ingredient on own.ingredient_key = ingredient.ingredient_key
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
order by own.share_ratio - total.share_ratio nulls last, own.ingredient_key
