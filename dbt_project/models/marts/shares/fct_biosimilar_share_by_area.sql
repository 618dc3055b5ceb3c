{{ config(replace_by=['population_key', 'period']) }}

with decided_by_diagnosis as (
    select drug_code
    from {{ source('masters', 'therapeutic_area') }}
    where is_decided_by_diagnosis
),

line as (
    select
        use.insurer_number,
        use.person_id,
        use.service_month,
        use.ingredient_key,
        use.facility_prefecture_code,
        use.prescriber_prefecture_code,
        use.share_side,
        use.quantity_share_unit,
        case
            when decided_by_diagnosis.drug_code is null then use.therapeutic_area_key
            else coalesce(indication.therapeutic_area_key, use.therapeutic_area_key)
        end as therapeutic_area_key,
        coalesce(indication.coverage, 'indication_unknown') as coverage
    from {{ ref('int_drug_use') }} as use
    left join {{ ref('int_claim_indication') }} as indication
        on
            use.insurer_number = indication.insurer_number
            and use.service_month = indication.service_month
            and use.claim_key = indication.claim_key
            and use.ingredient_key = indication.ingredient_key
    left join decided_by_diagnosis on use.drug_code = decided_by_diagnosis.drug_code
    where use.share_side is not null and use.quantity_claim_unit is not null
),

part as (
    select
        line.insurer_number,
        line.person_id,
        line.service_month,
        line.ingredient_key,
        line.therapeutic_area_key,
        scope, -- noqa: RF02, RF03
        {{ places_of_use('line.facility_prefecture_code', 'line.prescriber_prefecture_code') }} as places,
        sum(line.quantity_share_unit) as quantity,
        sum(line.quantity_share_unit) filter (where line.share_side = 'bs') as bs_quantity
    from line
        lateral view explode(array('brand', line.coverage)) as scope
    group by
        line.insurer_number,
        line.person_id,
        line.service_month,
        line.ingredient_key,
        line.therapeutic_area_key,
        scope, -- noqa: RF02, RF03
        line.facility_prefecture_code,
        line.prescriber_prefecture_code
),

{{ shares_of_parts(['therapeutic_area_key', 'scope']) }}
