with prefecture as (
    select prefecture_code from {{ source('masters', 'prefecture') }}
    union all
    select '00' as prefecture_code
)

select
    prefecture.prefecture_code,
    place.place_level,
    place.place_key
from prefecture
    lateral view explode(array(
        named_struct('place_level', 'nation', 'place_key', 'all'),
        named_struct('place_level', 'prefecture', 'place_key', prefecture_code)
    )) as place
