{# The pattern once for each column, `?` standing for its name. #}
{% macro each(columns, pattern, between=',\n        ') -%}
    {%- for column in columns -%} {{ pattern | replace('?', column) }}{{ between if not loop.last }} {%- endfor -%}
{%- endmacro %}
