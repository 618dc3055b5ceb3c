with person_month as (
    select
        use.insurer_number,
        use.person_id,
        place.geography,
        place.prefecture_code,
        use.ingredient_key,
        use.setting,
        use.service_month,
        max(use.share_side = 'bs') as has_bs
    from {{ ref('int_drug_use') }} as use
        lateral view explode(array(
            named_struct('geography', 'facility_of_use', 'prefecture_code', use.facility_prefecture_code),
            named_struct('geography', 'prescriber', 'prefecture_code', use.prescriber_prefecture_code)
        )) as place
    where
        use.share_side is not null
        and use.quantity_claim_unit is not null
        and use.person_id is not null
    group by
        use.insurer_number,
        use.person_id,
        place.geography,
        place.prefecture_code,
        use.ingredient_key,
        use.setting,
        use.service_month
),

person_at_level as (
    select
        cell.insurer_number,
        cell.person_id,
        {{ level_keys() }},
        max(cell.has_bs) as has_bs
    from {{ at_every_level('person_month') }}
    group by cell.insurer_number, cell.person_id, {{ level_keys() }}
)

select
    insurer_number,
    place_level,
    place_key,
    geography,
    ingredient_level as ingredient_key,
    setting_level as setting,
    period_kind,
    period,
    count_if(has_bs) as bs_patient_count,
    count(*) as patient_count
from person_at_level
group by insurer_number, place_level, place_key, geography, ingredient_level, setting_level, period_kind, period
