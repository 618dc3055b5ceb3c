{{ config(materialized='table') }}

with line as (
    select
        use.insurer_number,
        use.person_id,
        use.service_month,
        use.ingredient_key,
        use.setting,
        use.share_side = 'bs' as is_bs,
        use.product_role = 'bioAG' as is_bioag,
        use.quantity_share_unit,
        use.quantity_price_list_unit,
        use.value_yen,
        use.price_yen is null as is_unpriced,
        start.person_id is not null as is_new_start,
        array_compact(array(
            named_struct('population_kind', 'insurer', 'population_key', use.insurer_number),
            if(
                use.employer_key is null, null, named_struct('population_kind', 'employer', 'population_key', use.employer_key)
            )
        )) as populations,
        array_compact(array(
            'brand', if(use.is_same_form, 'same_form_only', null), if(use.is_indication_covered, 'indication_covered', null)
        )) as scopes,
        array(
            {{ place('nation', 'any', "'all'") }},
            {{ place('prefecture', 'facility_of_use', 'use.facility_prefecture_code') }},
            {{ place('prefecture', 'prescriber', 'use.prescriber_prefecture_code') }},
            {{ place('prefecture', 'residence', 'use.residence_prefecture_code') }},
            {{ place('prefecture', 'enrolment', 'use.enrolment_prefecture_code') }},
            {{ place('secondary_area', 'facility_of_use', 'use.facility_secondary_area_code') }},
            {{ place('secondary_area', 'prescriber', 'use.prescriber_secondary_area_code') }},
            {{ place('secondary_area', 'residence', 'use.residence_secondary_area_code') }},
            {{ place('municipality', 'facility_of_use', 'use.facility_municipality_code') }},
            {{ place('municipality', 'prescriber', 'use.prescriber_municipality_code') }},
            {{ place('municipality', 'residence', 'use.residence_municipality_code') }},
            {{ place('facility', 'facility_of_use', "coalesce(use.facility_code, '00')") }},
            {{ place('facility', 'prescriber', "coalesce(use.prescriber_facility_code, '00')") }}
        ) as places
    from {{ ref('int_drug_use') }} as use
    left join {{ ref('int_new_start') }} as start
        on
            use.insurer_number = start.insurer_number
            and use.person_id = start.person_id
            and use.ingredient_key = start.ingredient_key
            and use.service_month = start.service_month
    where
        use.share_side is not null
        and use.quantity_claim_unit is not null
),

-- which figures there are: months and benefit years of wide places and of the counted brand alone; what is finer by year and rolling year
person_at_level as (
    select
        line.insurer_number,
        population.population_kind,
        population.population_key,
        place.place_level,
        place.geography,
        place.place_key,
        scope,
        ingredient_level as ingredient_key,
        setting_level as setting,
        period.period_kind,
        period.period,
        line.person_id,
        sum(line.quantity_share_unit) as share_quantity,
        sum(line.quantity_share_unit) filter (where line.is_bs) as bs_share_quantity,
        sum(line.quantity_share_unit) filter (where line.is_bioag) as bioag_share_quantity,
        sum(line.quantity_price_list_unit) as list_quantity,
        sum(line.quantity_price_list_unit) filter (where line.is_bs) as bs_list_quantity,
        sum(line.quantity_price_list_unit) filter (where line.is_bioag) as bioag_list_quantity,
        sum(line.value_yen) as value_yen,
        sum(line.value_yen) filter (where line.is_bs) as bs_value_yen,
        sum(line.value_yen) filter (where line.is_bioag) as bioag_value_yen,
        sum(line.quantity_share_unit) filter (where line.is_unpriced) as unpriced_quantity,
        some(line.is_bs) as has_bs,
        some(not line.is_bs) as has_ref,
        some(line.is_bioag) as has_bioag,
        some(line.is_bs and not line.is_bioag) as has_other_bs,
        some(line.is_new_start) as has_start,
        some(line.is_new_start and line.is_bs) as has_bs_start,
        some(line.is_new_start and line.is_bioag) as has_bioag_start,
        some(line.is_new_start and line.is_bs and not line.is_bioag) as has_other_bs_start
    from line
    inner join {{ ref('int_period_member') }} as period on line.service_month = period.service_month
        lateral view explode(line.places) as place
        lateral view explode(line.scopes) as scope
        lateral view explode(line.populations) as population
        lateral view explode(array(line.ingredient_key, 'all')) as ingredient_level
        lateral view explode(
            if(
                period.period_kind = 'rolling_12' or scope <> 'brand' or population.population_kind = 'employer',
                array('all'),
                array(line.setting, 'all')
            )
        ) as setting_level
    where
        case
            when population.population_kind = 'employer'
                then period.period_kind in ('fiscal_year', 'rolling_12') and scope = 'brand' and place.place_level = 'nation'
            when period.period_kind = 'month'
                then
                    scope = 'brand'
                    and place.place_level in ('nation', 'prefecture')
                    and place.geography in ('any', 'facility_of_use', 'prescriber')
            when period.period_kind = 'benefit_year' then scope = 'brand' and place.place_level in ('nation', 'prefecture')
            else scope = 'brand' or place.place_level in ('nation', 'prefecture')
        end
    group by all
)

select
    insurer_number,
    population_kind,
    population_key,
    place_level,
    geography,
    place_key,
    scope,
    ingredient_key,
    setting,
    period_kind,
    period,
    coalesce(sum(bs_share_quantity), 0) as bs_share_quantity,
    sum(share_quantity) as share_quantity,
    coalesce(sum(bioag_share_quantity), 0) as bioag_share_quantity,
    coalesce(sum(bs_list_quantity), 0) as bs_list_quantity,
    sum(list_quantity) as list_quantity,
    coalesce(sum(bioag_list_quantity), 0) as bioag_list_quantity,
    coalesce(sum(bs_value_yen), 0) as bs_value_yen,
    coalesce(sum(value_yen), 0) as value_yen,
    coalesce(sum(bioag_value_yen), 0) as bioag_value_yen,
    coalesce(sum(unpriced_quantity), 0) as unpriced_quantity,
    count_if(person_id is not null and has_bs) as bs_patient_count,
    count_if(person_id is not null) as patient_count,
    count_if(person_id is not null and has_bioag and not has_other_bs) as bioag_patient_count,
    count_if(person_id is not null and has_bs and has_ref) as both_patient_count,
    count_if(has_bs_start) as bs_start_count,
    count_if(has_start) as start_count,
    count_if(has_bioag_start and not has_other_bs_start) as bioag_start_count
from person_at_level
group by all
