{#
The posterior of a share that was seen on some persons is Jeffreys': Beta(k + ½, n − k + ½), n persons, k = share × n. With p = sin²(angle) its
density is that of sin^2k · cos^2(n − k), bounded and smooth, so that a sum of 100 midpoints is its integral: together four decimals. What
lies beyond 4 ÷ √n from the mode is nothing to them. All arguments are columns of doubles; share between 0 and 1, persons above 0.
#}
{% macro posterior_mass(from_angle, to_angle, share, persons) -%}
    ({{ to_angle }} - {{ from_angle }}) * aggregate(
        transform(sequence(0, 99), step -> {{ from_angle }} + ({{ to_angle }} - {{ from_angle }}) * (step + 0.5) / 100),
        cast(0 as double),
        (mass, angle) -> mass + exp({{ persons }} * (
            2 * {{ share }} * ln(sin(angle)) + 2 * (1 - {{ share }}) * ln(cos(angle)) - {{ log_mode(share) }}
        ))
    )
{%- endmacro %}

{# logarithm of the density's highest value, of one person #}
{% macro log_mode(share) -%}
    if({{ share }} > 0 and {{ share }} < 1, {{ share }} * ln({{ share }}) + (1 - {{ share }}) * ln(1 - {{ share }}), 0)
{%- endmacro %}
