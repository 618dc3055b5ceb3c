select
    insurer.insurer_number,
    insurer.insurer_name_ja,
    insurer.insurer_short_ja,
    insurer.insurer_kind,
    insurer.insurer_kind_ja,
    insurer.prefecture_code,
    prefecture.prefecture_ja,
    insurer.member_count,
    insurer.start_claim_month
from {{ ref('stg_masters__insurer') }} as insurer
left join {{ source('masters', 'prefecture') }} as prefecture on insurer.prefecture_code = prefecture.prefecture_code
