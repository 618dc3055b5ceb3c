{#
numerator ÷ denominator, half-up to eight decimals, exactly: decimal division would keep too few digits of the quotient and round twice.
Both as decimal(26,12), or as counts.
#}
{% macro ratio(numerator, denominator) -%}
    cast(cast(({{ numerator }} * 200000000 + {{ denominator }}) div (2 * {{ denominator }}) as decimal(18, 0)) / 100000000 as decimal(9, 8))
{%- endmacro %}
