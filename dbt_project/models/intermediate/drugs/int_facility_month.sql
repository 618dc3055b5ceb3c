select
    month.service_month,
    facility.facility_code,
    max_by(
        struct(facility.secondary_area_code, facility.municipality_code), facility.valid_from
    ) as place
from {{ ref('stg_masters__facility') }} as facility
inner join {{ ref('int_service_month') }} as month
    on facility.valid_from <= month.last_day and facility.valid_to >= month.first_day
group by month.service_month, facility.facility_code
