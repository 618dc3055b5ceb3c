-- 国の目標（80％以上の成分が60％以上）まで、あと何成分か。
-- 目標値は config/targets から来る。listed が国の数え方（収載されている成分すべて）、
-- used は使用のあった成分、used_by_n_patients は一定数以上の患者が使った成分。
select
    kpi.denominator_kind as "分母の取り方",
    kpi.ingredient_count as "成分数",
    kpi.reached_ingredient_count as "達した成分",
    round(100 * kpi.kpi_ratio, 1) as "割合（％）",
    round(100 * target.value_ratio, 1) as "目標（％）",
    greatest(ceil(kpi.ingredient_count * target.value_ratio) - kpi.reached_ingredient_count, 0) as "あと（成分）",
    target.due_date as "期限"
from marts.fct_biosimilar_kpi as kpi
inner join marts.dim_target as target on target.target_key = 'biosimilar_kpi'
where
    kpi.population_kind = 'insurer'
    and kpi.place_level = 'nation'
    and kpi.geography = 'facility_of_use'
    and kpi.period_kind = 'fiscal_year'
    and kpi.period = (select max(year.period) from marts.dim_period as year where year.period_kind = 'fiscal_year' and year.is_complete)
order by kpi.ingredient_count desc, kpi.denominator_kind
