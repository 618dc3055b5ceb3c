select
    event.break_date,
    year(event.break_date) * 100 + month(event.break_date) as break_month,
    event.break_kind,
    event.title_ja,
    event.title_en,
    coalesce(ingredient_key, 'all') as ingredient_key,
    event.affects,
    event.source
from {{ source('masters', 'structural_break') }} as event
    lateral view outer explode(split(event.ingredient_keys, ',')) as ingredient_key
