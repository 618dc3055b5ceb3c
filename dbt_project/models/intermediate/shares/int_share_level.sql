{{ config(materialized='table', replace_by=['insurer_number', 'period']) }}

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
        if(use.is_same_form, array('brand', 'same_form_only'), array('brand')) as scopes,
        array(
            named_struct('place_level', 'nation', 'geography', 'any', 'place_key', 'all'),
            named_struct('place_level', 'prefecture', 'geography', 'facility_of_use', 'place_key', use.facility_prefecture_code),
            named_struct('place_level', 'prefecture', 'geography', 'prescriber', 'place_key', use.prescriber_prefecture_code)
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

person_at_level as (
    select
        line.insurer_number,
        place.place_level,
        place.geography,
        place.place_key,
        scope, -- noqa: RF02
        ingredient_level as ingredient_key, -- noqa: RF02
        setting_level as setting, -- noqa: RF02
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
    inner join {{ ref('int_period_member') }} as period
        on line.service_month = period.service_month and {{ within_touched_periods('line.service_month') }}
        lateral view explode(line.places) as place
        lateral view explode(line.scopes) as scope
        lateral view explode(array(line.ingredient_key, 'all')) as ingredient_level
        lateral view explode(array(line.setting, 'all')) as setting_level
    where
        -- which rows there are: description of fct_biosimilar_share
        (scope = 'brand' or (setting_level = 'all' and period.period_kind in ('fiscal_year', 'rolling_12'))) -- noqa: RF02
        and (period.period_kind <> 'rolling_12' or setting_level = 'all') -- noqa: RF02
    group by
        line.insurer_number,
        place.place_level,
        place.geography,
        place.place_key,
        scope, -- noqa: RF02
        ingredient_level, -- noqa: RF02
        setting_level, -- noqa: RF02
        period.period_kind,
        period.period,
        line.person_id
)

select
    insurer_number,
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
group by insurer_number, place_level, geography, place_key, scope, ingredient_key, setting, period_kind, period
