-- Claims of an insurer without a file in config/insurers are in no figure; fct_completeness counts them as claims of another insurer.
{{ config(severity='warn', meta={'action': 'Add config/insurers/<number>.yaml if this insurer takes part.'}) }}
select
    claim.insurer_number,
    count(*) as claim_count
from {{ ref('stg_claims__claim') }} as claim
left anti join {{ ref('stg_masters__insurer') }} as insurer on claim.insurer_number = insurer.insurer_number
where {{ touched(['service_month'], 'claim') }}
group by claim.insurer_number
