{#
The bridges, applied: rows of months, prefectures, ingredients and settings are given again under every level that holds them.
The relation must have prefecture_code, geography, ingredient_key, setting and service_month.
#}
{% macro at_every_level(relation) -%}
    {{ relation }} as cell
    inner join {{ ref('int_place_member') }} as place on cell.prefecture_code = place.prefecture_code
    inner join {{ ref('int_period_member') }} as period on cell.service_month = period.service_month and {{ within_touched_periods('cell.service_month') }}
    lateral view explode(array(cell.ingredient_key, 'all')) as ingredient_level
    lateral view explode(array(cell.setting, 'all')) as setting_level
{%- endmacro %}

{% macro level_keys() -%}
    place.place_level, place.place_key, cell.geography, ingredient_level, setting_level, period.period_kind, period.period
{%- endmacro %}

{# 01-47, else 00: 不明 #}
{% macro known_prefecture(code) -%}
    case when {{ code }} between '01' and '47' then {{ code }} else '00' end
{%- endmacro %}
