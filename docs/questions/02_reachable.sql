-- あといくら減らせるか。どこまで進めることを想定するかで、どう変わるか。
-- 想定どうしは重なるので足さない。供給に制限のある品目への切替は含まれない。
-- 下限・上限（高額療養費・公費を考慮）は full（先行品すべて）だけにあり、他は名目だけ。
select
    scenario_key as "想定",
    round(saving_yen) as "医療費（円）",
    round(nominal_insurer_yen) as "保険者分・名目（円）",
    round(insurer_gain_low_yen) as "軽減額・下限（円）",
    round(insurer_gain_high_yen) as "軽減額・上限（円）"
from marts.fct_saving_potential
where
    population_kind = 'insurer'
    and place_level = 'nation'
    and geography = 'facility_of_use'
    and ingredient_key = 'all'
    and period_kind = 'fiscal_year'
    and period = (select max(year.period) from marts.dim_period as year where year.period_kind = 'fiscal_year' and year.is_complete)
order by nominal_insurer_yen desc, scenario_key
