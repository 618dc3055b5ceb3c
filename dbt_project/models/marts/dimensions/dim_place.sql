with facility as (
    select
        facility_code,
        max_by(facility_name, valid_from) as facility_name
    from {{ ref('stg_masters__facility') }}
    group by facility_code
),

-- what stands in figures: no list of municipalities is needed for those that nobody lives in
seen as (
    select distinct
        place.place_level,
        place.place_key
    from {{ ref('int_drug_use') }} as use
        lateral view explode(array(
            {{ place('secondary_area', '', 'use.facility_secondary_area_code') }},
            {{ place('secondary_area', '', 'use.prescriber_secondary_area_code') }},
            {{ place('secondary_area', '', 'use.residence_secondary_area_code') }},
            {{ place('municipality', '', 'use.facility_municipality_code') }},
            {{ place('municipality', '', 'use.prescriber_municipality_code') }},
            {{ place('municipality', '', 'use.residence_municipality_code') }},
            {{ place('facility', '', 'use.facility_code') }},
            {{ place('facility', '', 'use.prescriber_facility_code') }}
        )) as place
    where
        place.place_key is not null
        and place.place_key <> '00'
),

secondary_area as (
    select
        secondary_area_code,
        max_by(secondary_area_ja, valid_from) as secondary_area_ja
    from {{ ref('stg_masters__facility') }}
    group by secondary_area_code
),

named as (
    select
        seen.place_level,
        seen.place_key,
        coalesce(facility.facility_name, secondary_area.secondary_area_ja, seen.place_key) as place_ja
    from seen
    left join facility on seen.place_level = 'facility' and seen.place_key = facility.facility_code
    left join secondary_area on seen.place_level = 'secondary_area' and seen.place_key = secondary_area.secondary_area_code
)

select
    'prefecture' as place_level,
    prefecture_code as place_key,
    prefecture_ja as place_ja,
    prefecture_short_ja as place_short_ja,
    prefecture_en as place_en,
    prefecture_code,
    tile_column,
    tile_row
from {{ source('masters', 'prefecture') }}
union all
select
    'nation' as place_level,
    'all' as place_key,
    '全国' as place_ja,
    '全国' as place_short_ja,
    'Japan' as place_en,
    null as prefecture_code,
    null as tile_column,
    null as tile_row
union all
select
    place_level,
    '00' as place_key,
    '不明' as place_ja,
    '不明' as place_short_ja,
    'Unknown' as place_en,
    null as prefecture_code,
    null as tile_column,
    null as tile_row
from (select explode(array('prefecture', 'secondary_area', 'municipality', 'facility')) as place_level)
union all
select
    place_level,
    place_key,
    place_ja,
    place_ja as place_short_ja,
    place_key as place_en,
    left(place_key, 2) as prefecture_code,
    null as tile_column,
    null as tile_row
from named
