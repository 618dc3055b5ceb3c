-- Numerator and denominator of every level equal the sum of the level below; classes do so where they stand.
{%- set keys = [
    'population_kind', 'population_key', 'place_level', 'place_key', 'geography', 'setting', 'period_kind', 'period',
    'yakko_class_2', 'scope', 'variant',
] -%}
{%- set levels = {
    'insurers': {'columns': ['population_kind', 'population_key'], 'where': "population_kind in ('all', 'insurer')", 'upper': "population_kind = 'all'"},
    'prefectures': {'columns': ['place_level', 'place_key'], 'where': "place_level in ('nation', 'prefecture')", 'upper': "place_level = 'nation'"},
    'settings': {'columns': ['setting'], 'where': "yakko_class_2 = 'all'", 'upper': "setting = 'all'"},
    'classes of effect': {
        'columns': ['yakko_class_2'],
        'where': "setting = 'all' and geography = 'facility_of_use' and variant in ('quantity', 'value')",
        'upper': "yakko_class_2 = 'all'",
    },
} -%}
{%- for name, level in levels.items() %}
    select '{{ name }}' as level_that_does_not_add_up
    from {{ ref('fct_generic_share') }}
    where {{ level.where }} and {{ touched(['period']) }}
    group by {{ keys | reject('in', level.columns) | join(', ') }}
    having
        abs(sum(if({{ level.upper }}, numerator, -numerator))) > 0.001
        or abs(sum(if({{ level.upper }}, denominator, -denominator))) > 0.001
    {{- '\nunion all' if not loop.last }}
{%- endfor %}
