select
    disease_code,
    icd10_code,
    valid_from,
    coalesce(valid_to, date '9999-12-31') as valid_to
from {{ source('masters', 'disease') }}
where icd10_code is not null
