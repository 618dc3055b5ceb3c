with member as (
    select
        population_kind,
        population_key,
        insurer_number
    from {{ ref('int_population_member') }}
    union all
    select distinct
        'employer' as population_kind,
        employer_key as population_key,
        insurer_number
    from {{ ref('int_drug_use') }}
    where employer_key is not null
)

select
    member.population_kind,
    member.population_key,
    case member.population_kind
        when 'all' then '参加保険者計'
        when 'insurer_kind' then max(insurer.insurer_kind_ja)
        when 'employer' then concat(max(insurer.insurer_name_ja), 'の事業所')
        else max(insurer.insurer_name_ja)
    end as population_ja,
    case member.population_kind
        when 'all' then '全体'
        when 'insurer_kind' then max(insurer.insurer_kind_ja)
        when 'employer' then '事業所'
        else max(insurer.insurer_short_ja)
    end as population_short_ja,
    cast(count(*) as int) as insurer_count,
    case when member.population_kind <> 'employer' then sum(insurer.member_count) end as member_count
from member
inner join {{ ref('stg_masters__insurer') }} as insurer on member.insurer_number = insurer.insurer_number
group by member.population_kind, member.population_key
