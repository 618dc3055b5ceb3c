{# Every combination of `columns` stands in the dimension too. `dimensions`: model name → list of columns, named alike on both sides. #}
{% test found_in(model, dimensions) %}
{%- for dimension, columns in dimensions.items() %}
select
    '{{ dimension }}' as dimension,
    concat_ws(' ', {{ columns | join(', ') }}) as missing_key
from (select distinct {{ columns | join(', ') }} from {{ model }})
left anti join {{ ref(dimension) }} using ({{ columns | join(', ') }})
{{- '\nunion all' if not loop.last }}
{%- endfor %}
{% endtest %}
