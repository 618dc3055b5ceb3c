{#
The part of a unit's gain that falls to a line of it: gain × line ÷ unit. The ends of a line whose sign is not the unit's change places.
Lines that cancel out within a unit: nobody but the insurer can be told to gain. What insurance does not pay is the public payer's.
#}
{% macro line_gain(kind, yen, who, bound) -%}
    if(
        line.is_paid_by_insurer,
        {{ 'least' if bound == 'low' else 'greatest' }}(
            {{ part_of(kind, yen, who, 'low') }},
            {{ part_of(kind, yen, who, 'high') }}
        ),
        {{ 1 if who == 'public' else 0 }} * line.{{ yen }}
    )
{%- endmacro %}

{% macro part_of(kind, yen, who, bound) -%}
    {%- set gain = 'of_' ~ kind ~ '.' ~ who ~ '_gain_' ~ bound ~ '_yen' -%}
    cast(coalesce(
        line.{{ yen }} * {{ gain }} / nullif(of_{{ kind }}.saving_yen, 0), {{ gain }} + {{ 1 if who == 'insurer' else 0 }} * line.{{ yen }}
    ) as decimal(24, 6))
{%- endmacro %}

{# The additive parts of savings: name → sum over lines. int_saving_cell makes them, the marts add them up. #}
{% macro saving_measures() -%}
    {%- set on_bs = "product_role in ('BS', 'bioAG')" -%}
    {%- set measures = {
        'computed_quantity': "sum(quantity_price_list_unit) filter (where saving_yen is not null)",
        'saving_yen': "sum(saving_yen)",
        'negative_saving_yen': "sum(least(saving_yen, 0)) filter (where saving_yen is not null)",
        'uncomputable_quantity': "sum(quantity_price_list_unit) filter (where " ~ on_bs ~ " and saving_yen is null)",
        'constant_saving_yen': "sum(constant_saving_yen)",
        'constant_uncomputable_quantity': "sum(quantity_price_list_unit) filter (where " ~ on_bs ~ " and constant_saving_yen is null)",
        'nominal_insurer_yen': "sum(saving_yen * insurer_rate)",
        'bs_quantity': "sum(quantity_share_unit) filter (where share_side = 'bs')",
        'ref_quantity': "sum(quantity_share_unit) filter (where share_side = 'ref')",
        'form_quantity': "sum(quantity_share_unit) filter (where reach = 'reachable')",
        'form_saving_yen': "sum(form_saving_yen)",
        'form_nominal_insurer_yen': "sum(form_saving_yen * insurer_rate)",
        'full_quantity': "sum(quantity_share_unit) filter (where full_saving_yen is not null)",
        'full_saving_yen': "sum(full_saving_yen)",
        'full_nominal_insurer_yen': "sum(full_saving_yen * insurer_rate)",
        'new_quantity': "sum(quantity_share_unit) filter (where reach = 'reachable' and is_new_start)",
        'new_saving_yen': "sum(form_saving_yen) filter (where is_new_start)",
        'new_nominal_insurer_yen': "sum(form_saving_yen * insurer_rate) filter (where is_new_start)",
        'other_form_quantity': "sum(quantity_share_unit) filter (where reach = 'other_form')",
        'restricted_quantity': "sum(quantity_share_unit) filter (where reach = 'restricted')",
        'no_price_quantity': "sum(quantity_share_unit) filter (where reach = 'no_price')",
        'unfound_form_quantity': "sum(quantity_share_unit) filter (where reach = 'other_form' and full_saving_yen is null)",
        'priced_quantity': "sum(quantity_share_unit) filter (where over_mean_yen is not null)",
        'over_mean_yen': "sum(over_mean_yen)",
        'over_mean_nominal_insurer_yen': "sum(over_mean_yen * insurer_rate)",
    } -%}
    {%- for kind, yen in {'realised': 'saving_yen', 'full': 'full_saving_yen'}.items() -%}
        {%- for who in ['insurer', 'patient', 'public'] -%}
            {%- for bound in ['low', 'high'] -%}
                {%- set name = kind ~ '_' ~ who ~ '_gain_' ~ bound -%}
                {%- do measures.update({name ~ '_yen': 'sum(' ~ name ~ ')'}) -%}
            {%- endfor -%}
        {%- endfor -%}
        {%- do measures.update({
            kind ~ '_certain_yen': "sum(" ~ yen ~ ") filter (where " ~ kind ~ "_basis = 'receipt_certain')",
            kind ~ '_undivided_yen': "sum(" ~ yen ~ ") filter (where " ~ kind ~ "_basis is null)",
            kind ~ '_interval_line_count': "count_if(" ~ yen ~ " is not null and " ~ kind ~ "_basis = 'interval')",
            kind ~ '_certain_line_count': "count_if(" ~ yen ~ " is not null and " ~ kind ~ "_basis = 'receipt_certain')",
        }) -%}
    {%- endfor -%}
    {{ return(measures) }}
{%- endmacro %}

{# The sum of each name (of the relation, where given), in order, with a comma between. #}
{% macro sums_of(names, relation=none) -%}
    {%- for name in names %}
    cast(sum({{ relation ~ '.' if relation }}{{ name }}) as decimal(24, 6)) as {{ name }}{{ ',' if not loop.last }}
    {%- endfor %}
{%- endmacro %}

{# Each measure of a line, summed. #}
{% macro sums_of_lines() -%}
    {%- for name, amount in saving_measures().items() %}
    cast(coalesce({{ amount }}, 0) as decimal(24, 6)) as {{ name }}{{ ',' if not loop.last }}
    {%- endfor %}
{%- endmacro %}

{# Gains of each kind of saving, of a line, and what they rest on. #}
{% macro line_gains(kinds) -%}
    {%- for kind, yen in kinds.items() %}
    {%- for who in ['insurer', 'patient', 'public'] %}
    {%- for bound in ['low', 'high'] %}
    {{ line_gain(kind, yen, who, bound) }} as {{ kind }}_{{ who }}_gain_{{ bound }},
    {%- endfor %}
    {%- endfor %}
    if(line.is_paid_by_insurer, of_{{ kind }}.gain_basis, 'receipt_certain') as {{ kind }}_basis{{ ',' if not loop.last }}
    {%- endfor %}
{%- endmacro %}

{# What a scenario saves, of a measure of int_saving_cell (saving_yen or nominal_insurer_yen) in its form_, new_, full_ and over_mean kinds. #}
{% macro saved_by_scenario(measure, of_mean) -%}
    cast(case
        when target_share_ratio is not null then coalesce(form_{{ measure }} * quantity / nullif(form_quantity, 0), 0)
        when scenario_kind = 'new_starts' then new_{{ measure }}
        when scenario_kind = 'same_form' then form_{{ measure }}
        when scenario_kind = 'full' then full_{{ measure }}
        when scenario_kind = 'mean_price' then if(over_mean_yen > 0.01, {{ of_mean }}, 0) {#- less is rounding: all insurers are the mean #}
    end as decimal(24, 6))
{%- endmacro %}
