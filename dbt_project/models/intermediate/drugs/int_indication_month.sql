-- of several rows valid in the month the latest counts; two indications of one prefix that differ leave it open
with indication as (
    select
        month.service_month,
        indication.ingredient_key,
        indication.icd10_prefix,
        indication.indication_ja,
        max_by(struct(indication.therapeutic_area_key, indication.is_covered), indication.valid_from) as of_month
    from {{ ref('stg_masters__biosimilar_indication') }} as indication
    inner join {{ ref('int_service_month') }} as month
        on indication.valid_from <= month.last_day and indication.valid_to >= month.first_day
    group by month.service_month, indication.ingredient_key, indication.icd10_prefix, indication.indication_ja
)

select
    indication.service_month,
    indication.ingredient_key,
    indication.icd10_prefix,
    collect_set(indication.of_month.therapeutic_area_key) as therapeutic_area_keys,
    collect_set(coalesce(cast(indication.of_month.is_covered as string), 'unknown')) as coverages
from indication
group by indication.service_month, indication.ingredient_key, indication.icd10_prefix
