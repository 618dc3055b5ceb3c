{{ config(replace_by=['population_key', 'service_month']) }}

with known as (
    select distinct
        month.service_month,
        drug.drug_code
    from {{ ref('stg_masters__drug') }} as drug
    inner join {{ ref('int_service_month') }} as month
        on drug.valid_from <= month.last_day and drug.valid_to >= month.first_day
),

line as (
    select
        claim.insurer_number,
        claim.service_month,
        claim.claim_kind,
        claim.claim_key,
        drug.drug_code,
        drug.quantity_claim_unit,
        known.drug_code is null as is_unknown
    from {{ ref('stg_claims__claim') }} as claim
    inner join {{ ref('stg_claims__claim_drug') }} as drug
        on
            claim.insurer_number = drug.insurer_number and claim.service_month = drug.service_month
            and claim.claim_key = drug.claim_key and claim.file_sha256 = drug.file_sha256
    left semi join {{ ref('int_service_month') }} as month on claim.service_month = month.service_month
    left join known on claim.service_month = known.service_month and drug.drug_code = known.drug_code
),

-- each unknown code, and all lines together: also where none is unknown, so that a zero can be shown
of_insurer as (
    select
        line.insurer_number,
        line.service_month,
        line.claim_kind,
        level.code as drug_code,
        count(distinct if(line.is_unknown, line.claim_key, null)) as claim_count,
        count_if(line.is_unknown) as line_count,
        sum(if(level.code = 'all', null, line.quantity_claim_unit)) as quantity_claim_unit,
        count(*) as all_line_count
    from line
        lateral view explode(if(line.is_unknown, array(line.drug_code, 'all'), array('all'))) level as code
    group by line.insurer_number, line.service_month, line.claim_kind, level.code
),

of_population as (
    select
        population.population_kind,
        population.population_key,
        of_insurer.service_month,
        of_insurer.claim_kind,
        of_insurer.drug_code,
        sum(of_insurer.claim_count) as claim_count,
        sum(of_insurer.line_count) as line_count,
        sum(of_insurer.quantity_claim_unit) as quantity_claim_unit,
        sum(of_insurer.all_line_count) as all_line_count
    from of_insurer
    inner join {{ ref('int_population_member') }} as population on of_insurer.insurer_number = population.insurer_number
    group by
        population.population_kind, population.population_key, of_insurer.service_month, of_insurer.claim_kind, of_insurer.drug_code
)

select
    population_kind,
    population_key,
    service_month,
    claim_kind,
    drug_code,
    claim_count,
    line_count,
    cast(quantity_claim_unit as decimal(28, 5)) as quantity_claim_unit,
    max(all_line_count) over (partition by population_kind, population_key, service_month, claim_kind) as all_line_count
from of_population
