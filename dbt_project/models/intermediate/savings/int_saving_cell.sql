{{ config(materialized='table', replace_by=['month_of_figure']) }}

with divided as (
    select
        line.*,
        {{ line_gains({'realised': 'saving_yen', 'full': 'full_saving_yen'}) }}
    from {{ ref('int_saving_line') }} as line
    left join {{ ref('int_payer_gain') }} as of_realised on {{ same_unit('line', 'of_realised') }} and of_realised.saving_kind = 'realised'
    left join {{ ref('int_payer_gain') }} as of_full on {{ same_unit('line', 'of_full') }} and of_full.saving_kind = 'full'
),

placed as (
    select
        divided.*,
        if(divided.is_paid_by_insurer, 1 - divided.patient_rate, 0) as insurer_rate,
        place.geography,
        place.prefecture_code
    from divided
        lateral view explode(array(
            named_struct('geography', 'facility_of_use', 'prefecture_code', divided.facility_prefecture_code),
            named_struct('geography', 'prescriber', 'prefecture_code', divided.prescriber_prefecture_code)
        )) as place
)

select
    insurer_number,
    geography,
    prefecture_code,
    ingredient_key,
    setting,
    service_month,
    {{ sums_of_lines() }}
from placed
group by insurer_number, geography, prefecture_code, ingredient_key, setting, service_month
