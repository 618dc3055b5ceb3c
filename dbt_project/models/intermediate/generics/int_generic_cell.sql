{{ config(materialized='table', replace_by=['insurer_number', 'service_month']) }}

with drug as (
    select
        used.*,
        class.yakko_class_2,
        class.class_list_date,
        class.is_class_list_in_force,
        class.is_in_list,
        class.availability_class,
        class.is_counted_in_cutoff,
        class.is_outside_cutoff,
        class.price_yen,
        class.claim_units_per_list_unit,
        coalesce(class.availability_class in ('2', '3'), false) as is_substitutable,
        coalesce(class.availability_class in ('2', '3') and not class.is_excluded_from_addon, false) as is_in_addon,
        coalesce(class.availability_class = '3', false) as is_generic,
        cast(used.quantity_claim_unit / coalesce(class.claim_units_per_list_unit, 1) as decimal(24, 12)) as quantity,
        cast(used.quantity_claim_unit * class.price_yen as decimal(28, 9)) as value_yen
    from {{ ref('int_drug_quantity') }} as used
    inner join {{ ref('int_drug_class') }} as class
        on used.service_month = class.service_month and used.drug_code = class.drug_code
),

of_class as (
    select
        insurer_number,
        facility_prefecture_code,
        prescriber_prefecture_code,
        claim_kind,
        setting,
        service_month,
        is_dpc_bundled,
        yakko_class_2,
        max(class_list_date) as class_list_date,
        min(is_class_list_in_force) as is_class_list_in_force,
        sum(if(is_generic, quantity, 0)) as generic_quantity,
        sum(if(is_substitutable, quantity, 0)) as substitutable_quantity,
        sum(if(is_generic, value_yen, 0)) as generic_value_yen,
        sum(if(is_substitutable, value_yen, 0)) as substitutable_value_yen,
        sum(if(is_generic and is_in_addon, quantity, 0)) as addon_generic_quantity,
        sum(if(is_in_addon, quantity, 0)) as addon_substitutable_quantity,
        sum(if((is_substitutable or is_counted_in_cutoff) and not is_outside_cutoff, quantity, 0)) as cutoff_quantity,
        sum(if(is_outside_cutoff, 0, quantity)) as cutoff_all_quantity,
        sum(if(is_in_list, 0, quantity)) as unclassified_quantity,
        sum(if(claim_units_per_list_unit is null, quantity, 0)) as unconverted_quantity,
        sum(if(is_substitutable and price_yen is null, quantity, 0)) as unpriced_quantity
    from drug
    group by
        insurer_number,
        facility_prefecture_code,
        prescriber_prefecture_code,
        claim_kind,
        setting,
        service_month,
        is_dpc_bundled,
        yakko_class_2
)

select
    of_class.insurer_number,
    place.geography,
    place.prefecture_code,
    of_class.yakko_class_2,
    of_class.setting,
    of_class.service_month,
    counted.scope,
    {%- for measure in generic_measures() %}
        sum(of_class.{{ measure }}) as {{ measure }},
    {%- endfor %}
    max(of_class.class_list_date) as class_list_date,
    min(of_class.is_class_list_in_force) as is_class_list_in_force
from of_class
    lateral view explode(array(
        named_struct('geography', 'facility_of_use', 'prefecture_code', of_class.facility_prefecture_code),
        named_struct('geography', 'prescriber', 'prefecture_code', of_class.prescriber_prefecture_code)
    )) as place
    lateral view explode(array_compact(array(
        if(not of_class.is_dpc_bundled, named_struct('scope', 'mhlw_insurer'), null),
        if(of_class.claim_kind = 'pha', named_struct('scope', 'dispensing_only'), null),
        named_struct('scope', 'kyokai_with_dpc_coding')
    ))) as counted
group by
    of_class.insurer_number,
    place.geography,
    place.prefecture_code,
    of_class.yakko_class_2,
    of_class.setting,
    of_class.service_month,
    counted.scope
