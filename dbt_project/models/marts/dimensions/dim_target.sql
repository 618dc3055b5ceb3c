select *
from {{ source('masters', 'target') }}
