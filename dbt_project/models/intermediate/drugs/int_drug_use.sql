select * -- noqa: AM04
from {{ ref('int_drug_line') }}
where bundle_kind is distinct from 'dpc' -- its price is the hospital's cost; NDB Open Data has none of these
