{{ config(replace_by=['claim_month']) }}

with file as (
    select
        insurer_number,
        claim_month,
        claim_kind,
        file_sha256,
        state,
        state <> 'rejected' as is_taken_in,
        receipt_count,
        line_count,
        quarantine_count
    from {{ ref('stg_landing__file') }}
),

latest as (
    select max(claim_month) as claim_month
    from file
    where is_taken_in
),

expected as (
    select
        insurer.insurer_number,
        kind.claim_kind,
        cast(date_format(month.first_day, 'yyyyMM') as int) as claim_month
    from {{ ref('stg_masters__insurer') }} as insurer
    inner join latest on insurer.start_claim_month <= latest.claim_month
        lateral view explode(insurer.delivered_kinds) kind as claim_kind
        lateral view explode(sequence(
            to_date(concat(insurer.start_claim_month, '01'), 'yyyyMMdd'),
            to_date(concat(latest.claim_month, '01'), 'yyyyMMdd'),
            interval 1 month
        )) month as first_day
),

known_drug as (
    select distinct drug_code
    from {{ source('masters', 'drug') }}
),

-- what was delivered, counted by file: one scan of each silver table
claim_of_file as (
    select
        depositor_number as insurer_number,
        file_sha256,
        count(*) as claim_count,
        count_if(insurer_number is distinct from depositor_number) as claim_of_other_insurer_count,
        count_if(points_of_lines <> points_decided) as points_mismatch_claim_count
    from {{ source('silver', 'claim') }}
    where known_to_claim_month = 999912 and {{ touched(['claim_month']) }}
    group by depositor_number, file_sha256
),

drug_of_file as (
    select
        drug.file_sha256,
        count(*) as drug_line_count,
        count_if(known_drug.drug_code is null) as unknown_drug_line_count
    from {{ ref('stg_claims__claim_drug') }} as drug
    left join known_drug on drug.drug_code = known_drug.drug_code
    where {{ touched(['claim_month'], 'drug') }}
    group by drug.file_sha256
),

finding_of_file as (
    select
        insurer_number,
        file_sha256,
        count_if(severity = 'stop') as stop_finding_count,
        count_if(severity = 'tell') as tell_finding_count
    from {{ source('landing', 'delivery_finding') }}
    group by insurer_number, file_sha256
),

arrived as (
    select
        file.insurer_number,
        file.claim_kind,
        file.claim_month,
        count_if(file.is_taken_in) as delivery_count,
        count_if(not file.is_taken_in) as rejected_delivery_count,
        count_if(file.state = 'silver') as ingested_delivery_count,
        coalesce(sum(file.receipt_count), 0) as receipt_count,
        coalesce(sum(file.line_count), 0) as line_count,
        coalesce(sum(file.quarantine_count), 0) as quarantine_line_count,
        coalesce(sum(claim.claim_count), 0) as claim_count,
        coalesce(sum(claim.claim_of_other_insurer_count), 0) as claim_of_other_insurer_count,
        coalesce(sum(claim.points_mismatch_claim_count), 0) as points_mismatch_claim_count,
        coalesce(sum(drugs.drug_line_count), 0) as drug_line_count,
        coalesce(sum(drugs.unknown_drug_line_count), 0) as unknown_drug_line_count,
        coalesce(sum(finding.stop_finding_count), 0) as stop_finding_count,
        coalesce(sum(finding.tell_finding_count), 0) as tell_finding_count
    from file
    left join claim_of_file as claim on file.insurer_number = claim.insurer_number and file.file_sha256 = claim.file_sha256
    left join drug_of_file as drugs on file.file_sha256 = drugs.file_sha256
    left join finding_of_file as finding on file.insurer_number = finding.insurer_number and file.file_sha256 = finding.file_sha256
    group by file.insurer_number, file.claim_kind, file.claim_month
),

together as (
    select
        coalesce(expected.insurer_number, arrived.insurer_number) as insurer_number,
        coalesce(expected.claim_month, arrived.claim_month) as claim_month,
        coalesce(expected.claim_kind, arrived.claim_kind) as claim_kind,
        expected.insurer_number is not null as is_expected,
        case
            when coalesce(arrived.ingested_delivery_count, 0) > 0 and arrived.ingested_delivery_count = arrived.delivery_count
                then if(expected.insurer_number is not null, 'arrived', 'unexpected')
            when arrived.delivery_count > 0 then 'waiting'
            when arrived.rejected_delivery_count > 0 then 'rejected'
            else 'missing'
        end as status,
        arrived.* except (insurer_number, claim_month, claim_kind)
    from expected
    full outer join arrived
        on
            expected.insurer_number = arrived.insurer_number
            and expected.claim_month = arrived.claim_month
            and expected.claim_kind = arrived.claim_kind
)

select
    insurer_number,
    claim_month,
    claim_kind,
    is_expected,
    status,
    case status
        when 'arrived' then '受領済'
        when 'unexpected' then '受領済（予定外）'
        when 'waiting' then '受領済（取込前）'
        when 'rejected' then '受領できず'
        when 'missing' then '未着'
    end as status_ja,
    coalesce(delivery_count, 0) as delivery_count,
    coalesce(rejected_delivery_count, 0) as rejected_delivery_count,
    coalesce(receipt_count, 0) as receipt_count,
    coalesce(line_count, 0) as line_count,
    coalesce(quarantine_line_count, 0) as quarantine_line_count,
    coalesce(claim_count, 0) as claim_count,
    coalesce(claim_of_other_insurer_count, 0) as claim_of_other_insurer_count,
    coalesce(points_mismatch_claim_count, 0) as points_mismatch_claim_count,
    coalesce(drug_line_count, 0) as drug_line_count,
    coalesce(unknown_drug_line_count, 0) as unknown_drug_line_count,
    coalesce(stop_finding_count, 0) as stop_finding_count,
    coalesce(tell_finding_count, 0) as tell_finding_count
from together
