select
    insurer_number,
    insurer_name_ja,
    insurer_short_ja,
    insurer_kind,
    case insurer_kind
        when 'kenpo' then '健保組合'
        when 'kyokai' then '協会けんぽ'
        when 'kyosai' then '共済'
        when 'kokuho_city' then '市町村国保'
        when 'kokuho_union' then '国保組合'
        when 'koiki' then '後期高齢者医療広域連合'
    end as insurer_kind_ja,
    prefecture_code,
    member_count,
    start_claim_month,
    split(delivered_kinds, ',') as delivered_kinds
from {{ source('masters', 'insurer') }}
