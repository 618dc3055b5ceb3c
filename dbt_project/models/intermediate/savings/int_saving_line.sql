{{ config(materialized='table', replace_by=['month_of_figure']) }}

with claim as (
    select
        insurer_number,
        service_month,
        claim_key,
        file_sha256,
        cast(patient_percent / 100 as decimal(3, 2)) as patient_rate
    from {{ ref('stg_claims__claim') }}
    where {{ touched(['month_of_figure']) }}
),

not_insured as (
    select
        drug.insurer_number,
        drug.service_month,
        drug.claim_key,
        drug.line_no
    from {{ ref('stg_claims__claim_drug') }} as drug
    left semi join claim
        on
            drug.insurer_number = claim.insurer_number and drug.service_month = claim.service_month
            and drug.claim_key = claim.claim_key and drug.file_sha256 = claim.file_sha256
    where drug.is_paid_by_insurer = false and {{ touched(['month_of_figure'], 'drug') }}
),

line as (
    select
        use.*,
        coalesce(use.person_id, use.claim_key) as person_key,
        coalesce(use.prescriber_facility_code, use.facility_code) as unit_facility_code,
        use.setting = 'inpatient' as is_inpatient,
        claim.patient_rate,
        not_insured.claim_key is null as is_paid_by_insurer,
        form.form_key,
        use.quantity_claim_unit * form.form_units_per_claim_unit as form_quantity,
        constant_price.saving_yen_per_claim_unit * use.quantity_claim_unit as constant_saving_yen,
        case
            when use.product_role <> 'REF' then null
            when use.price_yen is null then 'no_price'
            when replacement.form_key is null then 'other_form'
            when not replacement.is_available then 'restricted'
            else 'reachable'
        end as reach,
        use.quantity_claim_unit * (use.price_yen - replacement.bs_price_yen) as gap_yen,
        use.product_role = 'REF' and start.person_id is not null as is_new_start
    from {{ ref('int_drug_use') }} as use
    left semi join {{ ref('stg_masters__insurer') }} as insurer on use.insurer_number = insurer.insurer_number
    inner join {{ ref('int_form_month') }} as form on use.service_month = form.service_month and use.drug_code = form.drug_code
    left join {{ ref('int_replacement_month') }} as replacement
        on form.service_month = replacement.service_month and form.form_key = replacement.form_key
    left join {{ ref('int_constant_price') }} as constant_price on use.drug_code = constant_price.drug_code
    -- in the year that a new start begins; a second one can not begin in it
    left join {{ ref('int_new_start') }} as start
        on
            use.insurer_number = start.insurer_number
            and use.person_id = start.person_id
            and use.ingredient_key = start.ingredient_key
            and {{ month_number('use.service_month') }} - {{ month_number('start.service_month') }} between 0 and 11
    left join claim
        on use.insurer_number = claim.insurer_number and use.service_month = claim.service_month and use.claim_key = claim.claim_key
    left join not_insured
        on
            use.insurer_number = not_insured.insurer_number and use.service_month = not_insured.service_month
            and use.claim_key = not_insured.claim_key and use.line_no = not_insured.line_no
    where use.product_role in ('REF', 'BS', 'bioAG') and use.quantity_claim_unit is not null
),

compared as (
    select
        *,
        case when reach = 'reachable' then gap_yen end as form_saving_yen,
        cast(sum(value_yen) over of_form as decimal(20, 6)) as form_value_yen,
        cast(sum(if(value_yen is not null, form_quantity, null)) over of_form as decimal(24, 12)) as form_priced_quantity,
        cast(sum(if(reach = 'reachable', gap_yen, null)) over of_ingredient as decimal(20, 6)) as reachable_gap_yen,
        cast(sum(if(reach = 'reachable', value_yen, null)) over of_ingredient as decimal(20, 6)) as reachable_value_yen
    from line
    window of_form as (partition by service_month, form_key), of_ingredient as (partition by service_month, ingredient_key)
)

select
    claim_key,
    line_no,
    insurer_number,
    person_key,
    unit_facility_code,
    is_inpatient,
    service_month,
    setting,
    facility_prefecture_code,
    prescriber_prefecture_code,
    drug_code,
    ingredient_key,
    product_role,
    share_side,
    is_paid_by_insurer,
    patient_rate,
    quantity_price_list_unit,
    quantity_share_unit,
    cast(saving_yen as decimal(24, 6)) as saving_yen,
    cast(case when product_role <> 'REF' then constant_saving_yen end as decimal(24, 6)) as constant_saving_yen,
    reach,
    cast(form_saving_yen as decimal(24, 6)) as form_saving_yen,
    -- multiplied first: a quotient of decimals keeps six places only
    cast(
        case when reach = 'other_form' then value_yen * reachable_gap_yen / nullif(reachable_value_yen, 0) else form_saving_yen end
        as decimal(24, 6)
    ) as full_saving_yen,
    is_new_start,
    cast(value_yen - form_quantity * form_value_yen / nullif(form_priced_quantity, 0) as decimal(24, 6)) as over_mean_yen
from compared
