select *
from {{ source('masters', 'measure') }}
