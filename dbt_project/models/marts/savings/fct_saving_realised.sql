{{ config(replace_by=['population_key', 'period']) }}

with used as (
    select *
    from {{ ref('int_share_cell') }}
    where saving_quantity <> 0 or uncomputable_quantity <> 0
),

of_insurer as (
    select
        cell.insurer_number,
        {{ level_keys() }},
        period.price_vintage,
        sum(cell.saving_quantity) as quantity,
        sum(cell.saving_yen) as saving_yen,
        sum(cell.uncomputable_quantity) as uncomputable_quantity
    from {{ at_every_level('used') }}
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
        sum(of_insurer.quantity) as quantity,
        sum(of_insurer.saving_yen) as saving_yen,
        sum(of_insurer.uncomputable_quantity) as uncomputable_quantity
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
    cast(saving.quantity as decimal(24, 6)) as quantity,
    cast(saving.saving_yen as decimal(24, 6)) as saving_yen,
    cast(saving.uncomputable_quantity as decimal(24, 6)) as uncomputable_quantity,
    period.months_in_period
from of_population as saving
inner join {{ ref('dim_period') }} as period on saving.period_kind = period.period_kind and saving.period = period.period
