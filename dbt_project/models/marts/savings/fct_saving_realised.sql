{{ config(replace_by=['population_key', 'period']) }}

{%- set measures = [
    'computed_quantity', 'saving_yen', 'negative_saving_yen', 'uncomputable_quantity', 'constant_saving_yen', 'constant_uncomputable_quantity',
    'nominal_insurer_yen', 'realised_insurer_gain_low_yen', 'realised_insurer_gain_high_yen', 'realised_patient_gain_low_yen',
    'realised_patient_gain_high_yen', 'realised_public_gain_low_yen', 'realised_public_gain_high_yen', 'realised_certain_yen',
    'realised_undivided_yen', 'realised_certain_line_count', 'realised_interval_line_count',
] -%}

with used as (
    select *
    from {{ ref('int_saving_cell') }}
    where computed_quantity <> 0 or uncomputable_quantity <> 0
),

of_insurer as (
    select
        cell.insurer_number,
        {{ level_keys() }},
        period.price_vintage,
        {{ sums_of(measures, 'cell') }}
    from {{ at_every_level('used') }}
    where period.period_kind in ('month', 'fiscal_year')
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
        of_insurer.setting_level as setting,
        of_insurer.period_kind,
        of_insurer.period,
        of_insurer.price_vintage,
        {{ sums_of(measures, 'of_insurer') }}
    from of_insurer
    inner join {{ ref('int_population_member') }} as population on of_insurer.insurer_number = population.insurer_number
    group by
        population.population_kind,
        population.population_key,
        of_insurer.place_level,
        of_insurer.place_key,
        of_insurer.geography,
        of_insurer.ingredient_level,
        of_insurer.setting_level,
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
    saving.setting,
    saving.period_kind,
    saving.period,
    saving.price_vintage,
    saving.computed_quantity as quantity,
    saving.saving_yen,
    saving.negative_saving_yen,
    saving.uncomputable_quantity,
    {{ var('constant_price_month') }} as constant_price_month,
    saving.constant_saving_yen,
    saving.constant_uncomputable_quantity,
    saving.nominal_insurer_yen,
    cast(saving.saving_yen - saving.nominal_insurer_yen as decimal(24, 6)) as nominal_patient_yen,
    saving.realised_insurer_gain_low_yen as insurer_gain_low_yen,
    saving.realised_insurer_gain_high_yen as insurer_gain_high_yen,
    saving.realised_patient_gain_low_yen as patient_gain_low_yen,
    saving.realised_patient_gain_high_yen as patient_gain_high_yen,
    saving.realised_public_gain_low_yen as public_gain_low_yen,
    saving.realised_public_gain_high_yen as public_gain_high_yen,
    saving.realised_certain_yen as certain_yen,
    saving.realised_undivided_yen as undivided_yen,
    case
        when saving.realised_interval_line_count > 0 then 'interval'
        when saving.realised_certain_line_count > 0 then 'receipt_certain'
    end as gain_basis,
    period.months_in_period
from of_population as saving
inner join {{ ref('dim_period') }} as period on saving.period_kind = period.period_kind and saving.period = period.period
