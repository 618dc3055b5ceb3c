{{ config(materialized='table', replace_by=['service_month']) }}

with used as (
    select distinct
        drug_code,
        service_month
    from {{ ref('int_drug_quantity') }}
),

edition as (
    select distinct source_date from {{ ref('stg_masters__generic_class') }}
),

-- the list of each month: the latest up to its last day, before the first of all that one
month_list as (
    select
        month.service_month,
        month.first_day,
        month.last_day,
        coalesce(max(edition.source_date) filter (where edition.source_date <= month.last_day), min(edition.source_date))
            as class_list_date,
        coalesce(
            max(edition.source_date) filter (where edition.source_date <= month.last_day) >= try_to_date(month.price_vintage, 'yyyy-MM'),
            false
        ) as is_class_list_in_force
    from {{ ref('int_service_month') }} as month
    left join edition on true
    group by month.service_month, month.first_day, month.last_day, month.price_vintage
),

class as (
    select
        month_list.service_month,
        class.yakka_code_12,
        max_by(struct(class.*), class.valid_from) as of_month
    from {{ ref('stg_masters__generic_class') }} as class
    inner join month_list
        on
            class.valid_from <= greatest(month_list.last_day, month_list.class_list_date)
            and class.valid_to >= if(month_list.last_day < month_list.class_list_date, month_list.class_list_date, month_list.first_day)
    group by month_list.service_month, class.yakka_code_12
),

code as (
    select
        used.service_month,
        used.drug_code,
        max_by(drug.yakka_code_12, drug.valid_from) as yakka_code_12
    from used
    inner join month_list on used.service_month = month_list.service_month
    inner join {{ ref('stg_masters__drug') }} as drug
        on used.drug_code = drug.drug_code and month_list.last_day >= drug.valid_from and month_list.first_day <= drug.valid_to
    group by used.service_month, used.drug_code
),

price as (
    select
        used.service_month,
        used.drug_code,
        max_by(price.price_yen, price.valid_from) as price_yen
    from used
    inner join month_list on used.service_month = month_list.service_month
    inner join {{ ref('stg_masters__drug_price') }} as price
        on used.drug_code = price.drug_code and month_list.last_day >= price.valid_from and month_list.first_day <= price.valid_to
    group by used.service_month, used.drug_code
)

select
    used.service_month,
    used.drug_code,
    code.yakka_code_12,
    coalesce(left(code.yakka_code_12, 2), 'unknown') as yakko_class_2,
    class.of_month is not null as is_in_list,
    class.of_month.availability_class,
    coalesce(class.of_month.is_excluded_from_addon, false) as is_excluded_from_addon,
    coalesce(class.of_month.is_counted_in_cutoff, false) as is_counted_in_cutoff,
    coalesce(class.of_month.is_outside_cutoff, false) as is_outside_cutoff,
    month_list.class_list_date,
    month_list.is_class_list_in_force,
    price.price_yen,
    unit.claim_units_per_list_unit
from used
inner join month_list on used.service_month = month_list.service_month
left join code on used.service_month = code.service_month and used.drug_code = code.drug_code
left join class on code.service_month = class.service_month and code.yakka_code_12 = class.yakka_code_12
left join price on used.service_month = price.service_month and used.drug_code = price.drug_code
left join {{ ref('int_list_unit') }} as unit on used.drug_code = unit.drug_code
