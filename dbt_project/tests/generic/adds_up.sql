{#
Each level equals the sum of the level below: insurers and kinds = all, places = nation, settings = all, ingredients = all, months = year.
`not_additive`: rows that add up over insurers only (persons). `place_levels`: each adds up by itself, the unknown place (00) with it.
`whole`: rows that stand for every setting and month too; rolling years have no single settings. 0.001 is room for 回分 turned into kits.
#}
{% test adds_up(model, keys, measures, not_additive='false', place_levels=['prefecture'], whole='true') %}
{%- set month = "period_kind = 'month'" -%}
{%- set levels = {
    'insurers': {'columns': ['population_kind', 'population_key'], 'upper': "population_kind = 'all'", 'lower': "population_kind = 'insurer'"},
    'insurer kinds': {'columns': ['population_kind', 'population_key'], 'upper': "population_kind = 'all'", 'lower': "population_kind = 'insurer_kind'"},
    'settings': {
        'columns': ['setting'], 'upper': "setting = 'all'", 'lower': "setting <> 'all'", 'where': whole ~ " and period_kind <> 'rolling_12'"
    },
    'ingredients': {'columns': ['ingredient_key'], 'upper': "ingredient_key = 'all'", 'lower': "ingredient_key <> 'all'"},
    'months of fiscal years': {
        'columns': ['period_kind', 'period'], 'upper': "period_kind = 'fiscal_year'", 'lower': month, 'where': whole,
        'group': "if(period_kind = 'month', (period - if(period % 100 < 4, 100, 0)) div 100, period)"
    },
    'months of benefit years': {
        'columns': ['period_kind', 'period'], 'upper': "period_kind = 'benefit_year'", 'lower': month, 'where': whole,
        'group': "if(period_kind = 'month', (period - if(period % 100 < 3, 100, 0)) div 100, period)"
    },
} -%}
{%- for place_level in place_levels -%}
    {%- do levels.update({place_level: {
        'columns': ['place_level', 'place_key'], 'upper': "place_level = 'nation'", 'lower': "place_level = '" ~ place_level ~ "'",
        'where': ('true' if place_level == 'prefecture' else whole ~ " and period_kind in ('fiscal_year', 'rolling_12') and geography <> 'enrolment'")
            ~ (" and geography <> 'residence'" if place_level == 'facility' else '') ~ " and population_kind <> 'employer'"
    }}) -%}
{%- endfor -%}
{%- for name, level in levels.items() %}
select '{{ name }}' as level_that_does_not_add_up
from {{ model }}
where
    ({{ level.upper }} or {{ level.lower }})
    {%- if level.where %} and {{ level.where }}{% endif %}
    {%- if level.columns[0] != 'population_kind' %} and not ({{ not_additive }}){% endif %}
    {%- if level.columns[0] == 'period_kind' %} and place_level in ('nation', 'prefecture') and geography in ('facility_of_use', 'prescriber'){% endif %}
group by {{ keys | reject('in', level.columns) | join(', ') }}{% if level.group %}, {{ level.group }}{% endif %}
having
    {%- for measure in measures %}
    abs(sum(case when {{ level.upper }} then {{ measure }} else -{{ measure }} end)) > 0.001{{ ' or' if not loop.last }}
    {%- endfor %}
{{- '\nunion all' if not loop.last }}
{%- endfor %}
{% endtest %}
