{# One convention of a share, summed: decimal(26,12) for units, yen and persons alike. #}
{% macro counted(convention, numerator, denominator, bioag) -%}
    named_struct(
            'convention', '{{ convention }}',
            'numerator', cast(sum({{ numerator }}) as decimal(26, 12)),
            'denominator', cast(sum({{ denominator }}) as decimal(26, 12)),
            'bioag', cast(sum({{ bioag }}) as decimal(26, 12))
        )
{%- endmacro %}
