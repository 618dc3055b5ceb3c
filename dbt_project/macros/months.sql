{# YYYYMM → months since year 0, to count with. #}
{% macro month_number(month) -%}
    ({{ month }} div 100 * 12 + {{ month }} % 100)
{%- endmacro %}

{# Month of whose prices the constant-price variant is made: the var, else the last service month with claims. #}
{% macro constant_price_month() -%}
    {% if var('constant_price_month') -%}
        {{ var('constant_price_month') }}
    {%- else -%}
        (select max(month.service_month) from {{ ref('int_service_month') }} as month)
    {%- endif %}
{%- endmacro %}
