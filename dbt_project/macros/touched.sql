{#
What a build makes anew. `lake build` gives var `touched` (spark_jobs/touched.py) where only claims and deliveries have changed since the last
build: column → values that rows containing a change can have, no column = any value. Without it everything is made anew.

A model with config `replace_by` (its key columns among those below) then has only such rows computed and put in place of the old ones.
`month_of_figure` stands for service_month in those months, later ones included, in which a new start can be another one.
#}
{% macro touched(columns, alias='') -%}
    {%- set touched = var('touched', none) -%}
    {%- if touched is not mapping -%} true {%- else -%}
    {%- set prefix = alias ~ '.' if alias else '' -%}
    {%- for column in columns -%}
        {%- if column not in touched -%} true
        {%- elif column == 'period' -%} {{ touched_period(prefix) }}
        {%- elif column == 'month_of_figure' -%} {{ prefix }}service_month in ({{ literals(touched[column]) }})
        {%- else -%} {{ prefix }}{{ column }} in ({{ literals(touched[column]) }})
        {%- endif -%}
        {{- ' and ' if not loop.last }}
    {%- endfor -%}
    {%- endif -%}
{%- endmacro %}

{# Months that stand in a touched period: what its sums are made of. All of them in a model that is made whole, and in a view, which stays. #}
{% macro within_touched_periods(service_month) -%}
    {%- set touched = var('touched', none) -%}
    {%- if touched is not mapping or not config.get('replace_by') -%} true {%- else -%} {{ service_month }} in ({{ literals(touched['month_of_period']) }}) {%- endif -%}
{%- endmacro %}

{# Months back to the first that a new start of a touched month looks at. #}
{% macro within_touched_past(service_month) -%}
    {%- set touched = var('touched', none) -%}
    {%- if touched is not mapping or touched['first_month_of_past'] is none -%} true {%- else -%} {{ service_month }} >= {{ touched['first_month_of_past'] }} {%- endif -%}
{%- endmacro %}

{# The months that a projection starts from, in words that the scan of a table understands; a condition that says them exactly stands beside. #}
{% macro within_last_year(month) -%}
    {%- set touched = var('touched', none) -%}
    {%- if touched is not mapping or touched.get('first_month_of_last_year') is none -%} true {%- else -%} {{ month }} >= {{ touched['first_month_of_last_year'] }} {%- endif -%}
{%- endmacro %}

{% macro touched_period(prefix='') -%}
    (
    {%- for kind, periods in var('touched')['period'].items() -%}
        ({{ prefix }}period_kind = '{{ kind }}' and {{ prefix }}period in ({{ literals(periods) }})){{ ' or ' if not loop.last }}
    {%- endfor -%}
    )
{%- endmacro %}

{% macro literals(values) -%}
    {%- for value in values -%} {{ "'" ~ value ~ "'" if value is string else value }}{{ ', ' if not loop.last }} {%- endfor -%}
    {{- 'null' if not values }}
{%- endmacro %}

{# Whether rows are put in place of old ones: the table stands, as the same code made it (build.py sees to that). #}
{% macro is_replaced_by_rows(relation) -%}
    {{- return(
        config.get('replace_by') and var('touched', none) is mapping
        and adapter.get_relation(relation.database, relation.schema, relation.identifier) is not none
    ) -}}
{%- endmacro %}
