select
    yakka_code_12,
    availability_class,
    is_excluded_from_addon,
    is_counted_in_cutoff,
    -- その他の品目: 経腸成分栄養剤, 特殊ミルク製剤, and by 薬効分類 生薬 (51), 漢方製剤 (52), その他の生薬・漢方 (59)
    coalesce(
        left(yakka_code_12, 2) in ('51', '52', '59')
        or left(yakka_code_12, 7) in (
            '3259103', '3259107', '3259109', '3259114', '3259117', '3259118', '3259119', '3259120', '3259121', '3279103', '3279104'
        ),
        false
    ) as is_outside_cutoff,
    valid_from,
    coalesce(valid_to, date '9999-12-31') as valid_to,
    source_date
from {{ source('masters', 'generic_class') }}
