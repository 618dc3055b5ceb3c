{{ config(materialized='table') }}

{%- set gains = ['insurer_gain_low', 'insurer_gain_high', 'patient_gain_low', 'patient_gain_high', 'public_gain_low', 'public_gain_high'] %}
{%- set kinds = {'realised': 'saving_yen', 'full': 'full_saving_yen'} %}

-- A line has the part of its unit's gains that it has of the unit's saving; where signs differ within a unit the lower of the two is the low.
with divided as (
    select
        line.*,
        {%- for kind, yen in kinds.items() %}
        {%- for who in ['insurer', 'patient', 'public'] %}
        {%- set low = 'of_' ~ kind ~ '.' ~ who ~ '_gain_low_yen' %}
        {%- set high = 'of_' ~ kind ~ '.' ~ who ~ '_gain_high_yen' %}
        {%- set outside = "if(line." ~ yen ~ " is not null and not line.is_paid_by_insurer, " ~ ("line." ~ yen if who == 'public' else "0") ~ ", null)" %}
        coalesce({{ outside }}, least({{ part_of('line.' ~ yen, low, 'of_' ~ kind ~ '.saving_yen') }}, {{ part_of('line.' ~ yen, high, 'of_' ~ kind ~ '.saving_yen') }}))
            as {{ kind }}_{{ who }}_gain_low,
        coalesce({{ outside }}, greatest({{ part_of('line.' ~ yen, low, 'of_' ~ kind ~ '.saving_yen') }}, {{ part_of('line.' ~ yen, high, 'of_' ~ kind ~ '.saving_yen') }}))
            as {{ kind }}_{{ who }}_gain_high,
        {%- endfor %}
        if(line.is_paid_by_insurer, of_{{ kind }}.gain_basis, 'receipt_certain') as {{ kind }}_basis
        {{- ',' if not loop.last }}
        {%- endfor %}
    from {{ ref('int_saving_line') }} as line
    {%- for kind in kinds %}
    left join {{ ref('int_payer_gain') }} as of_{{ kind }} on {{ same_unit('line', 'of_' ~ kind) }} and of_{{ kind }}.saving_kind = '{{ kind }}'
    {%- endfor %}
),

placed as (
    select
        divided.*,
        if(is_paid_by_insurer, 1 - patient_rate, 0) as insurer_rate,
        place.geography,
        place.prefecture_code
    from divided
        lateral view explode(array(
            named_struct('geography', 'facility_of_use', 'prefecture_code', facility_prefecture_code),
            named_struct('geography', 'prescriber', 'prefecture_code', prescriber_prefecture_code)
        )) as place
)

select
    insurer_number,
    geography,
    prefecture_code,
    ingredient_key,
    setting,
    service_month,
    {%- for name, amount in saving_measures().items() %}
    cast(coalesce({{ amount }}, 0) as decimal(24, 6)) as {{ name }}{{ ',' if not loop.last }}
    {%- endfor %}
from placed
group by insurer_number, geography, prefecture_code, ingredient_key, setting, service_month
