-- 後発医薬品の使用割合（保険者別の数え方）は目標に届いているか。どの薬効分類が押し下げているか。
-- 「目標に足りない数量」は、その薬効分類の先発品のうち後発品に替われば目標に届く数量（規格単位）。既に届いていれば 0。
-- 一行目は全薬効。薬効分類は足りない数量の大きい順に5つ。年度の値で、厚生労働省の公表は3月・9月診療分。
with share as (
    select
        generic.yakko_class_2,
        class.yakko_class_ja,
        generic.share_ratio,
        target.value_ratio,
        greatest(target.value_ratio * generic.denominator - generic.numerator, 0) as missing_quantity
    from marts.fct_generic_share as generic
    inner join marts.dim_yakko_class as class using (yakko_class_2)
    inner join marts.dim_target as target on target.target_key = 'generic_quantity_all_prefectures'
    where
        generic.population_kind = 'insurer'
        and generic.place_level = 'nation'
        and generic.geography = 'facility_of_use'
        and generic.setting = 'all'
        and generic.scope = 'mhlw_insurer'
        and generic.variant = 'quantity'
        and generic.period_kind = 'fiscal_year'
        and generic.period = (
            select max(year.period) from marts.dim_period as year where year.period_kind = 'fiscal_year' and year.is_complete
        )
)

select
    yakko_class_ja as "薬効分類",
    round(100 * share_ratio, 1) as "使用割合（％）",
    round(100 * value_ratio, 1) as "目標（％）",
    round(missing_quantity) as "目標に足りない数量"
from share
order by (yakko_class_2 = 'all') desc, missing_quantity desc, yakko_class_2
limit 6
