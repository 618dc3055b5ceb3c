select
    scenario_key,
    scenario_kind,
    parameter,
    least_patient_count
from {{ source('masters', 'scenario') }}
