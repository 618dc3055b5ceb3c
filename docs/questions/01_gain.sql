-- バイオシミラーを使ったことで、当組合の負担はいくら減ったか。
-- 保険者負担の軽減額は、高額療養費と公費を考慮した下限〜上限で示される。名目は医療費適正効果額×給付割合。
-- 「確定」は、レセプトだけで分担が決まる分。「すべて先行品だったら」との差で、ある取組の効果ではない。
select
    period as "年度",
    max(months_in_period) as "月数",
    round(sum(saving_yen)) as "医療費適正効果額（円）",
    round(sum(nominal_insurer_yen)) as "保険者分・名目（円）",
    round(sum(insurer_gain_low_yen)) as "軽減額・下限（円）",
    round(sum(insurer_gain_high_yen)) as "軽減額・上限（円）",
    round(100 * sum(certain_yen) / nullif(sum(saving_yen), 0), 1) as "確定（％）"
from marts.fct_saving_realised
where
    population_kind = 'insurer'
    and place_level = 'nation'
    and geography = 'facility_of_use'
    and setting = 'all'
    and ingredient_key = 'all'
    and period_kind = 'fiscal_year'
group by period
order by period
