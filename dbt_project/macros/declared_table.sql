{#
A table with a contract is declared with types, NOT NULL and comments, then filled: two commits. The adapter's own way (CTAS, then one ALTER
for each comment and each constraint) takes a commit a column, and Delta refuses SET NOT NULL on a table made by CTAS. BY NAME refuses a
column that is missing or too many; types are the declared ones. In a build of what was touched (touched.sql) rows are replaced: one commit.
What is made whole is written in order of time, some months a file, so that a later month opens few of them, however long the history.
#}
{% macro spark__create_table_as(temporary, relation, compiled_code, language='sql') -%}
    {%- if temporary -%}
        {{ create_temporary_view(relation, compiled_code) }}
    {%- elif is_replaced_by_rows(relation) -%}
        {%- set rows = touched(config.get('replace_by')) -%}
        insert into {{ relation }} by name replace where {{ rows }}
        select * from (
        {{ compiled_code }}
        ) where {{ rows }}
    {%- elif config.get('contract').enforced -%}
        {%- call statement('declare') -%}
            create or replace table {{ relation }} (
                {%- for column in model.columns.values() %}
                {{ column.name }} {{ column.data_type }}
                {%- if column.constraints | selectattr('type', 'equalto', 'not_null') | list %} not null{% endif %}
                {%- if column.description %} comment '{{ quoted_text(column.description) }}'{% endif %}
                {{- ',' if not loop.last }}
                {%- endfor %}
            ) using delta {{ comment_clause() }}
        {%- endcall -%}
        insert into {{ relation }} by name
        {{ in_order_of_time(compiled_code) }}
    {%- else -%}
        create or replace table {{ relation }} using delta {{ comment_clause() }} as
        {{ in_order_of_time(compiled_code) }}
    {%- endif -%}
{%- endmacro %}

{# The rows in ranges of time, one a file, where a later build replaces them by time. #}
{% macro in_order_of_time(compiled_code) -%}
    {%- set columns, months, time = config.get('replace_by') or [], var('history_months'), none -%}
    {%- if 'period' in columns -%} {%- set time, months_a_file = 'period_kind, period', 3 -%} {# as many rows again for rolling years #}
    {%- elif 'service_month' in columns or 'month_of_figure' in columns -%} {%- set time, months_a_file = 'service_month', 6 -%}
    {%- endif -%}
    {%- if time -%}
        select /*+ repartition_by_range({{ [months // months_a_file, var('shuffle_partitions')] | max }}, {{ time }}) */ * from (
        {{ compiled_code }}
        )
    {%- else -%} {{ compiled_code }}
    {%- endif -%}
{%- endmacro %}

{% macro spark__comment_clause() -%}
    {%- if model.description -%} comment '{{ quoted_text(model.description) }}' {%- endif -%}
{%- endmacro %}

{% macro spark__persist_docs(relation, model, for_relation, for_columns) -%}{%- endmacro %}

{% macro spark__persist_constraints(relation, model) -%}{%- endmacro %}

{% macro quoted_text(text) -%}
    {{- text | trim | replace('\\', '\\\\') | replace("'", "\\'") | replace('\n', ' ') -}}
{%- endmacro %}
