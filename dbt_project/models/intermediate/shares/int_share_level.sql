{{ config(materialized='table', replace_by=['insurer_number', 'period']) }}
{%- set level = ['insurer_number', 'place_level', 'geography', 'place_key', 'scope', 'ingredient_key', 'setting'] %}
{%- set quantities = [
    'bs_share_quantity', 'share_quantity', 'bioag_share_quantity', 'bs_list_quantity', 'list_quantity', 'bioag_list_quantity',
    'bs_value_yen', 'value_yen', 'bioag_value_yen', 'unpriced_quantity',
] %}
{%- set flags = ['has_bs', 'has_ref', 'has_bioag', 'has_other_bs'] %}

with line as (
    select
        insurer_number,
        person_id,
        service_month,
        ingredient_key,
        setting,
        share_side = 'bs' as is_bs,
        product_role = 'bioAG' as is_bioag,
        quantity_share_unit,
        quantity_price_list_unit,
        value_yen,
        price_yen is null as is_unpriced,
        if(is_same_form, array('brand', 'same_form_only'), array('brand')) as scopes,
        {{ places_of_use('facility_prefecture_code', 'prescriber_prefecture_code') }} as places
    from {{ ref('int_drug_use') }}
    where share_side is not null and quantity_claim_unit is not null
),

-- what a person used in a month, summed before it is given again under every level
person_month as (
    select
        insurer_number,
        person_id,
        service_month,
        ingredient_key,
        setting,
        scopes,
        places,
        sum(quantity_share_unit) filter (where is_bs) as bs_share_quantity,
        sum(quantity_share_unit) as share_quantity,
        sum(quantity_share_unit) filter (where is_bioag) as bioag_share_quantity,
        sum(quantity_price_list_unit) filter (where is_bs) as bs_list_quantity,
        sum(quantity_price_list_unit) as list_quantity,
        sum(quantity_price_list_unit) filter (where is_bioag) as bioag_list_quantity,
        sum(value_yen) filter (where is_bs) as bs_value_yen,
        sum(value_yen) as value_yen,
        sum(value_yen) filter (where is_bioag) as bioag_value_yen,
        sum(quantity_share_unit) filter (where is_unpriced) as unpriced_quantity,
        some(is_bs) as has_bs,
        some(not is_bs) as has_ref,
        some(is_bioag) as has_bioag,
        some(is_bs and not is_bioag) as has_other_bs
    from line
    where {{ within_touched_periods('service_month') }}
    group by insurer_number, person_id, service_month, ingredient_key, setting, scopes, places
),

at_level as (
    select
        person_month.insurer_number,
        place.place_level,
        place.geography,
        place.place_key,
        scope, -- noqa: RF02, RF03
        ingredient_level as ingredient_key, -- noqa: RF02, RF03
        setting_level as setting, -- noqa: RF02, RF03
        person_month.service_month,
        person_month.person_id,
        person_month.ingredient_key as used_ingredient_key,
        {{ each(quantities + flags, 'person_month.?') }}
    from person_month
        lateral view explode(places) as place
        lateral view explode(scopes) as scope
        lateral view explode(array(person_month.ingredient_key, 'all')) as ingredient_level
        lateral view explode(array(person_month.setting, 'all')) as setting_level
    where scope = 'brand' or setting_level = 'all' -- noqa: RF02, RF03
),

-- which rows there are: description of fct_biosimilar_share
period as (
    select
        service_month,
        period_kind,
        period,
        if(period_kind in ('fiscal_year', 'rolling_12'), array('brand', 'same_form_only'), array('brand')) as scopes
    from {{ ref('int_period_member') }}
),

-- units and yen add up over months, persons do not
quantity_of_month as (
    select
        {{ each(level, '?') }},
        service_month,
        {{ each(quantities, 'sum(?) as ?') }}
    from at_level
    group by {{ each(level, '?', ', ') }}, service_month
),

quantity as (
    select
        {{ each(level, 'quantity_of_month.?') }},
        period.period_kind,
        period.period,
        {{ each(quantities, 'coalesce(sum(quantity_of_month.?), 0) as ?') }}
    from quantity_of_month
    inner join period
        on
            quantity_of_month.service_month = period.service_month
            and array_contains(period.scopes, quantity_of_month.scope)
            and (period.period_kind <> 'rolling_12' or quantity_of_month.setting = 'all')
    group by
        {{ each(level, 'quantity_of_month.?') }},
        period.period_kind,
        period.period
),

person as (
    select
        {{ each(level, 'at_level.?') }},
        period.period_kind,
        period.period,
        at_level.person_id,
        {{ each(flags, 'some(at_level.?) as ?') }},
        some(start.person_id is not null) as has_start,
        some(start.person_id is not null and at_level.has_bs) as has_bs_start,
        some(start.person_id is not null and at_level.has_bioag) as has_bioag_start,
        some(start.person_id is not null and at_level.has_other_bs) as has_other_bs_start
    from at_level
    inner join period
        on
            at_level.service_month = period.service_month
            and array_contains(period.scopes, at_level.scope)
            and (period.period_kind <> 'rolling_12' or at_level.setting = 'all')
    left join {{ ref('int_new_start') }} as start
        on
            at_level.insurer_number = start.insurer_number
            and at_level.person_id = start.person_id
            and at_level.used_ingredient_key = start.ingredient_key
            and at_level.service_month = start.service_month
    where at_level.person_id is not null
    group by
        {{ each(level, 'at_level.?') }},
        period.period_kind,
        period.period,
        at_level.person_id
),

persons as (
    select
        {{ each(level, '?') }},
        period_kind,
        period,
        count_if(has_bs) as bs_patient_count,
        count(*) as patient_count,
        count_if(has_bioag and not has_other_bs) as bioag_patient_count,
        count_if(has_bs and has_ref) as both_patient_count,
        count_if(has_bs_start) as bs_start_count,
        count_if(has_start) as start_count,
        count_if(has_bioag_start and not has_other_bs_start) as bioag_start_count
    from person
    group by {{ each(level, '?', ', ') }}, period_kind, period
)

select
    quantity.*,
    coalesce(persons.bs_patient_count, 0) as bs_patient_count,
    coalesce(persons.patient_count, 0) as patient_count,
    coalesce(persons.bioag_patient_count, 0) as bioag_patient_count,
    coalesce(persons.both_patient_count, 0) as both_patient_count,
    coalesce(persons.bs_start_count, 0) as bs_start_count,
    coalesce(persons.start_count, 0) as start_count,
    coalesce(persons.bioag_start_count, 0) as bioag_start_count
from quantity
left join persons
    on {{ each(level + ['period_kind', 'period'], 'quantity.? = persons.?', '\n        and ') }}
