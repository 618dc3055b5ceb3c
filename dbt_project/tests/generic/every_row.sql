{#
Many rules in one scan. `rules`: name → condition that must be true (null is a failure). Fails with the number of broken rules × rows;
the compiled query lists each broken rule with its rows.
#}
{% test every_row(model, rules) %}
{{ config(fail_calc='coalesce(sum(row_count), 0)') }}
select
    rule,
    count(*) as row_count
from {{ model }}
lateral view explode(array_compact(array(
    {%- for name, condition in rules.items() %}
    case when not coalesce({{ condition }}, false) then '{{ name }}' end{{ ',' if not loop.last }}
    {%- endfor %}
))) as rule
group by rule
{% endtest %}
