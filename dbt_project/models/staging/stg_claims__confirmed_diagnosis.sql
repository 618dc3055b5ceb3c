select
    diagnosis.claim_key,
    diagnosis.file_sha256,
    disease.icd10_code
from {{ source('silver', 'claim_diagnosis') }} as diagnosis
inner join {{ source('masters', 'disease') }} as disease
    on
        diagnosis.disease_code = disease.disease_code
        and try_to_date(concat(diagnosis.service_month, '01'), 'yyyyMMdd')
        between trunc(disease.valid_from, 'MM') and coalesce(disease.valid_to, date '9999-12-31')
where
    not diagnosis.is_suspected
    and disease.icd10_code is not null
