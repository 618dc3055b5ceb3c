-- どの成分から取り組むと、減る額が大きいか。
-- 同じ剤形・規格のBSがある先行品をすべて替えたときの、保険者分（名目）の大きい順に5成分。
-- 患者数は今その成分を使っている人の数。少ない成分は、一人の治療の変化で額が大きく動く。
select
    ingredient.ingredient_ja as "成分",
    share.patient_count as "患者数（人）",
    round(100 * share.share_ratio, 1) as "数量シェア（％）",
    round(potential.nominal_insurer_yen) as "減らせる額・名目（円）",
    round(100 * potential.nominal_insurer_yen / nullif(sum(potential.nominal_insurer_yen) over (), 0), 1) as "全成分に占める割合（％）"
from marts.fct_saving_potential as potential
inner join marts.fct_biosimilar_share as share
    using (population_kind, population_key, place_level, place_key, geography, ingredient_key, period_kind, period)
inner join marts.dim_ingredient as ingredient using (ingredient_key)
where
    potential.population_kind = 'insurer'
    and potential.place_level = 'nation'
    and potential.geography = 'facility_of_use'
    and potential.ingredient_key <> 'all'
    and potential.scenario_key = 'same_form_only'
    and potential.period_kind = 'fiscal_year'
    and potential.period = (select max(year.period) from marts.dim_period as year where year.period_kind = 'fiscal_year' and year.is_complete)
    and share.scope = 'brand'
    and share.setting = 'all'
    and share.convention = 'claims_units'
order by potential.nominal_insurer_yen desc, potential.ingredient_key
limit 5
