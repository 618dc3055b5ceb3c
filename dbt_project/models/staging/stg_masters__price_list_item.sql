-- one product may stand under several names, at one price
select
    yakka_code_12,
    valid_from,
    max(price_yen) as price_yen_per_list_unit
from {{ source('masters', 'price_list_item') }}
group by yakka_code_12, valid_from
having min(price_yen) = max(price_yen)
