select
    facility_code,
    facility_name,
    prefecture_code,
    secondary_area_code,
    secondary_area_ja,
    municipality_code,
    valid_from,
    coalesce(valid_to, date '9999-12-31') as valid_to
from {{ source('masters', 'facility') }}
