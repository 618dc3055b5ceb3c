with restricted as (
    select
        month.service_month,
        supply.yj_code
    from {{ ref('stg_masters__supply_status') }} as supply
    inner join {{ ref('int_service_month') }} as month on month.last_day between supply.valid_from and supply.valid_to
    group by month.service_month, supply.yj_code
    having bool_and(supply.is_restricted)
),

used as (
    select
        use.service_month,
        use.drug_code,
        sum(use.quantity_claim_unit) as quantity_claim_unit
    from {{ ref('int_drug_use') }} as use
    left semi join {{ ref('stg_masters__insurer') }} as insurer on use.insurer_number = insurer.insurer_number
    group by use.service_month, use.drug_code
),

biosimilar as (
    select
        form.service_month,
        form.form_key,
        form.form_units_per_claim_unit,
        product.price_yen,
        -- of few digits, so that its products keep theirs
        cast(coalesce(used.quantity_claim_unit, 0) as decimal(18, 5)) as quantity_claim_unit,
        restricted.yj_code is null as is_available
    from {{ ref('int_form_month') }} as form
    inner join {{ ref('int_product_month') }} as product
        on form.service_month = product.service_month and form.drug_code = product.drug_code
    left join restricted on form.service_month = restricted.service_month and form.yakka_code_12 = restricted.yj_code
    left join used on form.service_month = used.service_month and form.drug_code = used.drug_code
    where form.product_role = 'BS' and form.form_key <> form.drug_code and product.price_yen is not null
),

priced as (
    select
        service_month,
        form_key,
        bool_or(is_available) as is_available,
        sum(quantity_claim_unit * price_yen) filter (where is_available) as value_yen,
        sum(quantity_claim_unit * form_units_per_claim_unit) filter (where is_available) as quantity,
        avg(price_yen / form_units_per_claim_unit) filter (where is_available) as listed_price_yen
    from biosimilar
    group by service_month, form_key
)

select
    service_month,
    form_key,
    is_available,
    case when quantity > 0 then 'used' when is_available then 'listed' end as bs_price_basis,
    cast(case when quantity > 0 then value_yen / quantity else listed_price_yen end as decimal(18, 6)) as bs_price_yen
from priced
