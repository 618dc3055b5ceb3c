{{ config(materialized='table', replace_by=['service_month']) }}

{%- set least_joined_yen = 21000 %} {#- 世帯合算: a unit of under-70s below it stands alone #}
{%- set least_cap_yen = 24600 %} {#- the lowest cap of any band of under-70s: 多数回 of オ #}
{%- set counter_rounding_yen = 10 %}

-- the receipt shows the cost after a saving that was made, and before one that could be made
with unit as (
    select
        *,
        if(saving_kind = 'realised', cost_yen + saving_yen, cost_yen) as before_yen,
        if(saving_kind = 'realised', cost_yen, cost_yen - saving_yen) as after_yen,
        beneficiary_class in ('高齢一般', '高齢7割') as is_70,
        public_law_number = 'mixed' or (public_law_number <> 'none' and beneficiary_class in ('高齢一般', '高齢7割')) as is_mixed,
        case
            -- 51, 52, 54: the person's own band
            when public_law_number < '80' and public_law_number not in ('51', '52', '54') then 'public_payer'
            when long_term_note is not null and public_law_number = 'none' then 'long_term'
            when beneficiary_class in ('高齢一般', '高齢7割') then '70_and_over'
            else 'under_70'
        end as cap_group
    from {{ ref('int_saving_unit') }}
),

banded as (
    select
        *,
        case
            when cap_group = 'public_payer' then if(public_law_number = '12', '12', 'other')
            when cap_group = 'long_term' then long_term_note
            when beneficiary_class = '高齢一般' then if(band = 'オ', 'オ', 'エ')
            when beneficiary_class = '高齢7割' then if(band in ('イ', 'ウ'), band, 'ア') -- 26 is written without a certificate too
            else coalesce(band, 'ア')
        end as cap_band,
        cap_group <> 'under_70' or band is not null as is_band_known,
        is_repeated and (is_inpatient or public_law_number <> '54') and cap_group not in ('public_payer', 'long_term') as has_repeated_cap
    from unit
),

capped as (
    select
        banded.*,
        case
            when banded.is_70 and not banded.is_inpatient and cap.outpatient_yen is not null then cap.outpatient_yen
            when banded.has_repeated_cap then coalesce(cap.repeated_yen, cap.fixed_yen)
            else cap.fixed_yen
        end as fixed_yen,
        if(banded.has_repeated_cap and cap.repeated_yen is not null, null, cap.threshold_yen) as threshold_yen
    from banded
    left join {{ ref('stg_masters__high_cost_cap') }} as cap
        on
            banded.cap_group = cap.age_group
            and banded.cap_band = cap.band
            and to_date(concat(banded.service_month, '01'), 'yyyyMMdd') between cap.valid_from and cap.valid_to
),

shared as (
    select
        *,
        {{ share_after_cap('before_yen', 'patient_rate', 'fixed_yen', 'threshold_yen') }} as share_before_yen,
        {{ share_after_cap('after_yen', 'patient_rate', 'fixed_yen', 'threshold_yen') }} as share_after_yen,
        {{ share_after_cap('before_yen', 'patient_rate', least_cap_yen, 'null') }}
        - {{ share_after_cap('after_yen', 'patient_rate', least_cap_yen, 'null') }} as least_yen,
        patient_rate * greatest(before_yen, after_yen) as greatest_share_yen,
        -- what is left to the patient of a lower cost where other units bring the household over its cap
        if(threshold_yen is not null and is_band_known, 0.01, 0.00) * saving_yen as joined_yen,
        -- 難病 54: the patient's rate is 20 % at most
        least(patient_rate, 0.2) * before_yen as public_before_yen,
        least(patient_rate, 0.2) * after_yen as public_after_yen,
        least(patient_rate, 0.2) * cost_yen as public_seen_yen
    from capped
),

-- the share that medical insurance leaves to patient or public payer: what this unit alone says, how far others can change it
insured as (
    select
        *,
        share_before_yen - share_after_yen as alone_yen,
        case
            when has_another_payer or patient_rate is null or cost_yen is null then 'unknown'
            when is_mixed then 'any'
            when fixed_yen is null then if(public_law_number = 'none', 'unknown', 'any')
            when public_law_number <> 'none' then if(is_band_known, 'alone', 'least_to_alone')
            when not is_70 and greatest_share_yen < {{ least_joined_yen }} then 'alone'
            else 'joined_to_alone'
        end as share_kind,
        public_copay_yen < least(public_seen_yen, {{ share_after_cap('cost_yen', 'patient_rate', 'fixed_yen', 'threshold_yen') }})
        - {{ counter_rounding_yen }} as is_limit_reached
    from shared
),

bounded as (
    select
        *,
        case share_kind
            when 'alone' then alone_yen
            when 'joined_to_alone' then joined_yen
            when 'least_to_alone' then least_yen
            when 'any' then 0
        end as one_yen,
        case
            when share_kind in ('alone', 'joined_to_alone', 'least_to_alone') then alone_yen
            when share_kind = 'any' then patient_rate * saving_yen
        end as other_yen,
        -- what the patient pays under 54 up to its limit, which the receipt shows where it was reached
        least(public_before_yen, share_before_yen, if(is_limit_reached, public_copay_yen, null))
        - least(public_after_yen, share_after_yen, if(is_limit_reached, public_copay_yen, null)) as public_patient_yen
    from insured
),

divided as (
    select
        *,
        least(one_yen, other_yen) as insured_low_yen,
        greatest(one_yen, other_yen) as insured_high_yen,
        case
            when share_kind = 'unknown' then null
            when public_law_number = 'none' then one_yen
            when public_law_number = '54' and one_yen = other_yen and not is_limit_reached and cost_yen = greatest(before_yen, after_yen)
                then public_patient_yen
            else 0
        end as patient_one_yen,
        case
            when share_kind = 'unknown' then null
            when public_law_number = 'none' then other_yen
            when public_law_number = '12' and not is_mixed then 0
            when public_law_number = '54' and share_kind in ('alone', 'least_to_alone') then public_patient_yen
            when public_copay_yen = 0 and not is_mixed then 0
            else other_yen
        end as patient_other_yen
    from bounded
),

patient as (
    select
        *,
        least(patient_one_yen, patient_other_yen) as patient_low_yen,
        greatest(patient_one_yen, patient_other_yen) as patient_high_yen
    from divided
),

-- what a public payer gains has the sign of the saving
public as (
    select
        *,
        case
            when public_law_number = 'none' then 0 * patient_low_yen
            when saving_yen < 0 then insured_low_yen - patient_high_yen
            else greatest(insured_low_yen - patient_high_yen, 0)
        end as public_low_yen,
        case
            when public_law_number = 'none' then 0 * patient_low_yen
            when saving_yen < 0 then least(insured_high_yen - patient_low_yen, 0)
            else insured_high_yen - patient_low_yen
        end as public_high_yen
    from patient
)

select
    insurer_number,
    person_key,
    service_month,
    unit_facility_code,
    is_inpatient,
    saving_kind,
    cast(saving_yen as decimal(24, 6)) as saving_yen,
    patient_rate,
    cast(before_yen as decimal(24, 6)) as cost_before_yen,
    cast(after_yen as decimal(24, 6)) as cost_after_yen,
    cast(share_before_yen as decimal(24, 6)) as share_before_yen,
    cast(share_after_yen as decimal(24, 6)) as share_after_yen,
    cast(saving_yen - insured_high_yen as decimal(24, 6)) as insurer_gain_low_yen,
    cast(saving_yen - insured_low_yen as decimal(24, 6)) as insurer_gain_high_yen,
    cast(patient_low_yen as decimal(24, 6)) as patient_gain_low_yen,
    cast(patient_high_yen as decimal(24, 6)) as patient_gain_high_yen,
    cast(public_low_yen as decimal(24, 6)) as public_gain_low_yen,
    cast(public_high_yen as decimal(24, 6)) as public_gain_high_yen,
    case
        when share_kind = 'unknown' then null
        when insured_low_yen = insured_high_yen and patient_low_yen = patient_high_yen then 'receipt_certain'
        else 'interval'
    end as gain_basis
from public
