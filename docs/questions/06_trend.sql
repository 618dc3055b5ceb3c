-- 数量シェアは動いているか。動いた月に、制度や品目の変わり目はなかったか。
-- 一つの月ではなく、直近12か月の値で見る（患者が少なくても揺れにくい）。最近の月は遅れて届くレセプトで変わる。
-- 変わり目は、その月に始まった薬価改定・診療報酬改定・選定療養。
select
    period.period_ja as "期間",
    share.patient_count as "患者数（人）",
    round(100 * share.share_ratio, 1) as "数量シェア（％）",
    round(100 * (share.share_ratio - lag(share.share_ratio) over (order by share.period)), 1) as "前月からの差（ポイント）",
    (
        select string_agg(distinct event.title_ja, '、' order by event.title_ja)
        from marts.dim_structural_break as event
        where
            event.break_month = share.period
            and event.ingredient_key = 'all'
            and event.title_ja ~ '^(薬価改定|診療報酬改定|長期収載品の選定療養)'
    ) as "その月の変わり目"
from marts.fct_biosimilar_share as share
inner join marts.dim_period as period using (period_kind, period)
where
    share.population_kind = 'insurer'
    and share.place_level = 'nation'
    and share.geography = 'facility_of_use'
    and share.scope = 'brand'
    and share.ingredient_key = 'all'
    and share.setting = 'all'
    and share.convention = 'claims_units'
    and share.period_kind = 'rolling_12'
order by share.period
