{# The part of a unit's amount that falls to a line: line ÷ unit, nothing where the lines of a unit cancel out. #}
{% macro part_of(line_yen, unit_gain_yen, unit_yen) -%}
    cast(coalesce({{ line_yen }} * {{ unit_gain_yen }} / nullif({{ unit_yen }}, 0), 0 * {{ unit_gain_yen }}) as decimal(24, 6))
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
            kind ~ '_interval_quantity': "sum(quantity_share_unit) filter (where " ~ yen ~ " is not null and " ~ kind ~ "_basis = 'interval')",
            kind ~ '_certain_quantity': "sum(quantity_share_unit) filter (where " ~ yen ~ " is not null and " ~ kind ~ "_basis = 'receipt_certain')",
        }) -%}
    {%- endfor -%}
    {{ return(measures) }}
{%- endmacro %}
