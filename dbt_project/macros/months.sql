{# YYYYMM → months since year 0, to count with. #}
{% macro month_number(month) -%}
    ({{ month }} div 100 * 12 + {{ month }} % 100)
{%- endmacro %}
