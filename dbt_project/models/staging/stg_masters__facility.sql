select
    facility_code,
    secondary_area_code,
    municipality_code,
    valid_from,
    coalesce(valid_to, date '9999-12-31') as valid_to
from {{ source('masters', 'facility') }}
