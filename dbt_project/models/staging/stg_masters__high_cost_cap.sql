select
    age_group,
    band,
    fixed_yen,
    threshold_yen,
    repeated_yen,
    outpatient_yen,
    valid_from,
    coalesce(valid_to, date '9999-12-31') as valid_to
from {{ source('masters', 'high_cost_cap') }}
