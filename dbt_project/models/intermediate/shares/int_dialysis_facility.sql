{{ config(materialized='table') }}

select distinct
    procedure.facility_code,
    period.period_kind,
    period.period
from {{ source('silver', 'claim_procedure') }} as procedure
inner join {{ ref('int_period_member') }} as period on procedure.service_month = period.service_month
where procedure.procedure_code in ('{{ var("dialysis_fee_codes") | join("', '") }}')
