{{ config(replace_by=['population_key', 'period']) }}

with bundled as (
    select
        insurer_number,
        person_id,
        service_month,
        setting,
        ingredient_key,
        'facility_of_use' as geography,
        facility_prefecture_code as prefecture_code,
        quantity_price_list_unit as quantity,
        saving_yen
    from {{ ref('int_drug_line') }}
    where bundle_kind = 'dpc' and product_role in ('BS', 'bioAG') and quantity_claim_unit is not null
),

of_insurer as (
    select
        cell.insurer_number,
        {{ level_keys() }},
        period.price_vintage,
        coalesce(sum(cell.quantity) filter (where cell.saving_yen is not null), 0) as quantity,
        coalesce(sum(cell.saving_yen), 0) as hospital_saving_yen,
        coalesce(sum(cell.quantity) filter (where cell.saving_yen is null), 0) as uncomputable_quantity,
        count(distinct cell.person_id) as patient_count
    from {{ at_every_level('bundled') }}
    where period.period_kind in ('month', 'fiscal_year') and setting_level = 'all' -- noqa: RF02
    group by cell.insurer_number, {{ level_keys() }}, period.price_vintage
),

of_population as (
    select
        population.population_kind,
        population.population_key,
        of_insurer.place_level,
        of_insurer.place_key,
        of_insurer.geography,
        of_insurer.ingredient_level as ingredient_key,
        of_insurer.period_kind,
        of_insurer.period,
        of_insurer.price_vintage,
        sum(of_insurer.quantity) as quantity,
        sum(of_insurer.hospital_saving_yen) as hospital_saving_yen,
        sum(of_insurer.uncomputable_quantity) as uncomputable_quantity,
        -- a person is known inside one insurer only
        sum(of_insurer.patient_count) as patient_count
    from of_insurer
    inner join {{ ref('int_population_member') }} as population on of_insurer.insurer_number = population.insurer_number
    group by
        population.population_kind,
        population.population_key,
        of_insurer.place_level,
        of_insurer.place_key,
        of_insurer.geography,
        of_insurer.ingredient_level,
        of_insurer.period_kind,
        of_insurer.period,
        of_insurer.price_vintage
)

select
    saving.population_kind,
    saving.population_key,
    saving.place_level,
    saving.place_key,
    saving.geography,
    saving.ingredient_key,
    saving.period_kind,
    saving.period,
    saving.price_vintage,
    cast(saving.quantity as decimal(24, 6)) as quantity,
    cast(saving.hospital_saving_yen as decimal(24, 6)) as hospital_saving_yen,
    cast(saving.uncomputable_quantity as decimal(24, 6)) as uncomputable_quantity,
    saving.patient_count,
    period.months_in_period
from of_population as saving
inner join {{ ref('dim_period') }} as period on saving.period_kind = period.period_kind and saving.period = period.period
