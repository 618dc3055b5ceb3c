-- この値を信じてよいか。届いていない提出、読めなかった行、知らない医薬品、前回の公表から動いた値はいくつか。
-- 届いていない月があると、その月と年度の値は低めに出る。動いた値は原因ごとに数える（0 は何も動いていない）。
select
    '予定した提出（月×種別）' as "点検",
    count(*) filter (where is_expected)::text as "数"
from marts.fct_completeness
union all
select
    'うち届いていない' as "点検",
    count(*) filter (where is_expected and status not in ('arrived', 'unexpected'))::text as "数"
from marts.fct_completeness
union all
select
    '読めずに隔離した行' as "点検",
    sum(quarantine_line_count)::text as "数"
from marts.fct_completeness
union all
select
    'マスターにない医薬品の行' as "点検",
    sum(unknown_drug_line_count)::text || ' / ' || sum(drug_line_count)::text as "数"
from marts.fct_completeness
union all
select
    '前回の公表から動いた当組合の値' as "点検",
    count(*)::text as "数"
from marts.fct_figure_change
where population_kind = 'insurer'
