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

{# Places of a member: the nation and two prefectures, in which a person counts once each. #}
{% macro places_of_members(residence, enrolment) -%}
    array(
        named_struct('place_level', 'nation', 'geography', 'residence', 'place_key', 'all'),
        named_struct('place_level', 'nation', 'geography', 'enrolment', 'place_key', 'all'),
        named_struct('place_level', 'prefecture', 'geography', 'residence', 'place_key', {{ residence }}),
        named_struct('place_level', 'prefecture', 'geography', 'enrolment', 'place_key', {{ enrolment }})
    )
{%- endmacro %}

{# Places of a use: the nation, which is one whatever the geography, and two prefectures. #}
{% macro places_of_use(facility, prescriber) -%}
    array(
        named_struct('place_level', 'nation', 'geography', 'any', 'place_key', 'all'),
        named_struct('place_level', 'prefecture', 'geography', 'facility_of_use', 'place_key', {{ facility }}),
        named_struct('place_level', 'prefecture', 'geography', 'prescriber', 'place_key', {{ prescriber }})
    )
{%- endmacro %}

{% macro geographies_of(geography) -%}
    if({{ geography }} = 'any', array('facility_of_use', 'prescriber'), array({{ geography }}))
{%- endmacro %}
