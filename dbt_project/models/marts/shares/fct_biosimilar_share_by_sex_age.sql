{{ config(replace_by=['population_key', 'period']) }}

with part as (
    select
        use.insurer_number,
        use.person_id,
        use.service_month,
        use.ingredient_key,
        of_member.sex,
        of_member.age_group,
        {{ places_of_use('use.facility_prefecture_code', 'use.prescriber_prefecture_code') }} as places,
        sum(use.quantity_share_unit) as quantity,
        sum(use.quantity_share_unit) filter (where use.share_side = 'bs') as bs_quantity
    from {{ ref('int_drug_use') }} as use
        lateral view explode(array(
            named_struct('sex', coalesce(use.sex, 'unknown'), 'age_group', use.age_group),
            named_struct('sex', coalesce(use.sex, 'unknown'), 'age_group', 'all'),
            named_struct('sex', 'all', 'age_group', use.age_group)
        )) as of_member
    where use.share_side is not null and use.quantity_claim_unit is not null
    group by
        use.insurer_number,
        use.person_id,
        use.service_month,
        use.ingredient_key,
        of_member.sex,
        of_member.age_group,
        use.facility_prefecture_code,
        use.prescriber_prefecture_code
),

-- an insurer's own prefectures would be single persons
{{ shares_of_parts(['sex', 'age_group'], "of_insurer.place_level = 'nation' or population.population_kind = 'all'") }}
