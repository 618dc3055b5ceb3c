select
    'prefecture' as place_level,
    prefecture_code as place_key,
    prefecture_ja as place_ja,
    prefecture_short_ja as place_short_ja,
    prefecture_en as place_en,
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
    null as tile_column,
    null as tile_row
union all
select
    'prefecture' as place_level,
    '00' as place_key,
    '不明' as place_ja,
    '不明' as place_short_ja,
    'Unknown' as place_en,
    null as tile_column,
    null as tile_row
