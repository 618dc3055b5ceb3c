{#
Each level equals the sum of the level below: insurers and kinds = all, prefectures = nation, settings = all, ingredients = all, months = year.
`not_additive`: rows that add up over insurers only (persons). `single_settings_and_months`: rows that stand for each of them too; rolling years have no single settings. 0.001 is room for 回分 turned into kits at six decimals.
#}
{% test adds_up(model, keys, measures, not_additive='false', single_settings_and_months='true') %}
{%- set month = "period_kind = 'month'" -%}
{%- set levels = {
    'insurers': {'columns': ['population_kind', 'population_key'], 'upper': "population_kind = 'all'", 'lower': "population_kind = 'insurer'"},
    'insurer kinds': {'columns': ['population_kind', 'population_key'], 'upper': "population_kind = 'all'", 'lower': "population_kind = 'insurer_kind'"},
    'prefectures': {'columns': ['place_level', 'place_key'], 'upper': "place_level = 'nation'", 'lower': "place_level = 'prefecture'"},
    'settings': {
        'columns': ['setting'], 'upper': "setting = 'all'", 'lower': "setting <> 'all'",
        'where': single_settings_and_months ~ " and period_kind <> 'rolling_12'",
    },
    'ingredients': {'columns': ['ingredient_key'], 'upper': "ingredient_key = 'all'", 'lower': "ingredient_key <> 'all'"},
    'months of fiscal years': {
        'columns': ['period_kind', 'period'], 'upper': "period_kind = 'fiscal_year'", 'lower': month, 'where': single_settings_and_months,
        'group': "if(period_kind = 'month', (period - if(period % 100 < 4, 100, 0)) div 100, period)",
    },
} -%}
{%- for name, level in levels.items() %}
select '{{ name }}' as level_that_does_not_add_up
from {{ model }}
where
    ({{ level.upper }} or {{ level.lower }})
    {%- if level.columns[0] != 'population_kind' %} and not ({{ not_additive }}){% endif %}
    {%- if level.where %} and {{ level.where }}{% endif %}
group by {{ keys | reject('in', level.columns) | join(', ') }}{% if level.group %}, {{ level.group }}{% endif %}
having
    {%- for measure in measures %}
    abs(sum(case when {{ level.upper }} then {{ measure }} else -{{ measure }} end)) > 0.001{{ ' or' if not loop.last }}
    {%- endfor %}
{{- '\nunion all' if not loop.last }}
{%- endfor %}
{% endtest %}
