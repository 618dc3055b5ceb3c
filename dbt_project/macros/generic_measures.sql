{# The additive parts of the shares of generics, in int_generic_cell and summed in fct_generic_share. #}
{% macro generic_measures() -%}
    {{ return([
        'generic_quantity', 'substitutable_quantity', 'generic_value_yen', 'substitutable_value_yen', 'addon_generic_quantity',
        'addon_substitutable_quantity', 'cutoff_quantity', 'cutoff_all_quantity', 'unclassified_quantity', 'unconverted_quantity',
        'unpriced_quantity',
    ]) }}
{%- endmacro %}
