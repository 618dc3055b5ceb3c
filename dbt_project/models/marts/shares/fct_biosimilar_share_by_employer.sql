{{ config(replace_by=['population_key', 'period']) }}

with part as (
    select
        insurer_number,
        person_id,
        service_month,
        ingredient_key,
        coalesce(employer_key, 'unknown') as employer_key,
        array(named_struct('place_level', 'nation', 'geography', 'any', 'place_key', 'all')) as places,
        sum(quantity_share_unit) as quantity,
        sum(quantity_share_unit) filter (where share_side = 'bs') as bs_quantity
    from {{ ref('int_drug_use') }}
    where share_side is not null and quantity_claim_unit is not null
    group by insurer_number, person_id, service_month, ingredient_key, employer_key
),

{{ shares_of_parts(['employer_key'], "population.population_kind = 'insurer'") }}
