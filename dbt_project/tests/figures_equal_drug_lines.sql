-- The top of the marts, counted again straight from the drug lines of known insurers:
-- nothing lost or doubled on the way through the bridges.
with line as (
    select use.*
    from {{ ref('int_drug_use') }} as use
    left semi join {{ ref('stg_masters__insurer') }} as insurer on use.insurer_number = insurer.insurer_number
    where use.share_side is not null and use.quantity_claim_unit is not null and {{ touched(['month_of_figure'], 'use') }}
),

counted as (
    select
        service_month as period,
        sum(quantity_share_unit) as units,
        coalesce(sum(value_yen), 0) as value_yen,
        count(distinct insurer_number, person_id) as patients,
        coalesce(sum(saving_yen), 0) as saving_yen
    from line
    group by service_month
),

published as (
    select
        period,
        max(denominator) filter (where convention = 'claims_units') as units,
        coalesce(max(denominator) filter (where convention = 'value'), 0) as value_yen,
        coalesce(max(patient_count), 0) as patients
    from {{ ref('fct_biosimilar_share') }}
    where
        scope = 'brand' and population_kind = 'all' and place_level = 'nation' and geography = 'facility_of_use'
        and ingredient_key = 'all' and setting = 'all' and period_kind = 'month'
        and {{ touched(['period']) }}
    group by period
),

saved as (
    select
        period,
        sum(saving_yen) as saving_yen
    from {{ ref('fct_saving_realised') }}
    where
        population_kind = 'all' and place_level = 'nation' and geography = 'facility_of_use'
        and ingredient_key = 'all' and setting = 'all' and period_kind = 'month'
        and {{ touched(['period']) }}
    group by period
)

select
    counted.*,
    published.units as published_units,
    published.value_yen as published_value_yen,
    published.patients as published_patients,
    saved.saving_yen as published_saving_yen
from counted
left join published on counted.period = published.period
left join saved on counted.period = saved.period
where
    counted.units > 0
    and (
        abs(counted.units - coalesce(published.units, 0)) > 0.001
        or abs(counted.value_yen - coalesce(published.value_yen, 0)) > 0.001
        or counted.patients <> coalesce(published.patients, 0)
        or abs(counted.saving_yen - coalesce(saved.saving_yen, 0)) > 0.001
    )
