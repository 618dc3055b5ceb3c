{#
dbt's place to say which rows of a relation its generic tests look at. In a build of what was touched (touched.sql): those rows, of all
populations, and the months of their fiscal years, so that sums can still be compared.
#}
{% macro spark__get_where_subquery(relation) -%}
    {%- set where = config.get('where', '') -%}
    {%- set touched = var('touched', none) -%}
    {%- if execute and touched is mapping -%}
        {%- set found = namespace(rows=none) -%}
        {%- for node in graph.nodes.values() if node.resource_type == 'model' and node.name == relation.identifier -%}
            {%- set found.rows = node.config.get('replace_by') -%}
        {%- endfor -%}
        {%- if found.rows -%}
            {%- set rows = rows_to_test(found.rows) -%}
            {%- set where = '(' ~ where ~ ') and ' ~ rows if where else rows -%}
        {%- endif -%}
    {%- endif -%}
    {%- if where -%} (select * from {{ relation }} where {{ where }}) dbt_subquery {%- else -%} {{ relation }} {%- endif -%}
{%- endmacro %}

{% macro rows_to_test(replace_by) -%}
    {%- if 'period' in replace_by -%}
        ({{ touched_period() }} or (period_kind = 'month' and period in ({{ literals(var('touched')['month_of_fiscal_year']) }})))
    {%- else -%}
        {{ touched(replace_by | reject('equalto', 'population_key') | list) }}
    {%- endif -%}
{%- endmacro %}
