{# 1,000 × amount ÷ members of an average month, half-up to six decimals, exactly; member_months are summed over the months. #}
{% macro per_1000(amount, months, member_months) -%}
    cast(
        cast((cast({{ amount }} as decimal(20, 6)) * cast({{ months }} as decimal(2, 0)) * 2000000000 + {{ member_months }}) div (2 * {{ member_months }}) as decimal(18, 0))
        / 1000000 as decimal(18, 6)
    )
{%- endmacro %}
