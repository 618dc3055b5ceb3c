{#
What the patient pays of a cost (10割) before any public payer: his rate of it, up to the cap (高額療養費 自己負担限度額). The one place of this rule.
Flat caps (エ, オ, 多数回, 外来, マル長) have a null threshold; `greatest` leaves nulls out.
#}
{% macro share_after_cap(cost, rate, fixed, threshold) -%}
    least({{ rate }} * {{ cost }}, {{ fixed }} + greatest({{ cost }} - {{ threshold }}, 0) * 0.01)
{%- endmacro %}

{# What the keys of a unit of 高額療養費 are: person, month, prescribing institution (a pharmacy's receipt belongs to it), 入院/外来. #}
{% macro unit_keys(relation) -%}
    {{ relation }}.insurer_number,
    {{ relation }}.person_key,
    {{ relation }}.service_month,
    {{ relation }}.unit_facility_code,
    {{ relation }}.is_inpatient
{%- endmacro %}

{% macro same_unit(left, right) -%}
    {{ left }}.insurer_number = {{ right }}.insurer_number
    and {{ left }}.person_key = {{ right }}.person_key
    and {{ left }}.service_month = {{ right }}.service_month
    and {{ left }}.unit_facility_code = {{ right }}.unit_facility_code
    and {{ left }}.is_inpatient = {{ right }}.is_inpatient
{%- endmacro %}
