select
    member.population_kind,
    member.population_key,
    case member.population_kind
        when 'all' then '参加保険者計'
        when 'insurer_kind' then max(insurer.insurer_kind_ja)
        else max(insurer.insurer_name_ja)
    end as population_ja,
    case member.population_kind
        when 'all' then '全体'
        when 'insurer_kind' then max(insurer.insurer_kind_ja)
        else max(insurer.insurer_short_ja)
    end as population_short_ja,
    cast(count(*) as int) as insurer_count,
    sum(insurer.member_count) as member_count
from {{ ref('int_population_member') }} as member
inner join {{ ref('stg_masters__insurer') }} as insurer on member.insurer_number = insurer.insurer_number
group by member.population_kind, member.population_key
