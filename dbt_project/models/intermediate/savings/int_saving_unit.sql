{{ config(materialized='table', replace_by=['service_month']) }}

-- a month is named at each table read: through two joins Spark does not carry the condition on
with saving as (
    select
        {{ unit_keys('line') }},
        kind.saving_kind,
        sum(kind.saving_yen) as saving_yen
    from {{ ref('int_saving_line') }} as line
        lateral view explode(array(
            named_struct('saving_kind', 'realised', 'saving_yen', line.saving_yen),
            named_struct('saving_kind', 'full', 'saving_yen', line.full_saving_yen)
        )) as kind
    where kind.saving_yen is not null and line.is_paid_by_insurer and {{ touched(['service_month'], 'line') }}
    group by {{ unit_keys('line') }}, kind.saving_kind
),

claim as (
    select
        claim.*,
        coalesce(claim.person_id, claim.claim_key) as person_key,
        coalesce(claim.prescriber_facility_code, claim.facility_code) as unit_facility_code,
        claim.setting = 'inpatient' as is_inpatient,
        regexp_extract_all(claim.special_notes, '([0-9][0-9])', 1) as notes
    from {{ ref('stg_claims__claim') }} as claim
    where {{ touched(['service_month'], 'claim') }}
),

-- the band is the person's, so that the mark of any receipt of the month tells it; two that differ tell nothing
marked as (
    select
        insurer_number,
        person_key,
        service_month,
        array_distinct(flatten(collect_list(transform(
            array_intersect(notes, array('26', '27', '28', '29', '30', '31', '32', '33', '34', '35', '41', '42', '43', '44')),
            note -> case
                when note in ('26', '31') then 'ア'
                when note in ('27', '32') then 'イ'
                when note in ('28', '33') then 'ウ'
                when note in ('30', '35') then 'オ'
                else 'エ' -- 29, 34; 75歳以上: 一般 41-44
            end
        )))) as bands,
        max(arrays_overlap(notes, array('31', '32', '33', '34', '35', '43', '44'))) as is_repeated
    from claim
    where notes is not null
    group by insurer_number, person_key, service_month
),

payer as (
    select
        insurer_number,
        service_month,
        claim_key,
        file_sha256,
        count(*) as payer_count,
        coalesce(min(law_number), 'mixed') as law_number,
        min(points_decided) as points_decided,
        min(copay_amount_yen) as copay_amount_yen
    from {{ ref('stg_claims__claim_payer') }}
    where {{ touched(['service_month']) }}
    group by insurer_number, service_month, claim_key, file_sha256
),

unit as (
    select
        {{ unit_keys('claim') }},
        sum(claim.points_decided) * 10 as cost_yen,
        min(claim.beneficiary_class) as beneficiary_class,
        count(distinct claim.patient_percent) > 1 or max(array_contains(claim.notes, '10')) is true as has_another_payer,
        min(claim.patient_percent) as patient_percent,
        max(case when array_contains(claim.notes, '16') then '16' when array_contains(claim.notes, '02') then '02' end) as long_term_note,
        case
            when count(payer.claim_key) = 0 then 'none'
            when
                count(payer.claim_key) = count(*) and max(payer.payer_count) = 1
                and min(payer.law_number) = max(payer.law_number) and bool_and(payer.points_decided = claim.points_decided)
                then min(payer.law_number)
            else 'mixed'
        end as public_law_number,
        case when count(payer.copay_amount_yen) = count(*) then sum(payer.copay_amount_yen) end as public_copay_yen
    from claim
    left join payer
        on
            claim.insurer_number = payer.insurer_number and claim.service_month = payer.service_month
            and claim.claim_key = payer.claim_key and claim.file_sha256 = payer.file_sha256
    group by {{ unit_keys('claim') }}
)

select
    {{ unit_keys('saving') }},
    saving.saving_kind,
    saving.saving_yen,
    unit.cost_yen,
    cast(unit.patient_percent / 100 as decimal(3, 2)) as patient_rate,
    unit.beneficiary_class,
    case when size(marked.bands) = 1 then marked.bands[0] end as band,
    coalesce(marked.is_repeated, false) as is_repeated,
    unit.long_term_note,
    unit.public_law_number,
    unit.public_copay_yen,
    unit.has_another_payer
from saving
inner join unit on {{ same_unit('saving', 'unit') }}
left join marked
    on
        saving.insurer_number = marked.insurer_number
        and saving.person_key = marked.person_key
        and saving.service_month = marked.service_month
