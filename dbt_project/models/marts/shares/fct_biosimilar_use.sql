{{ config(replace_by=['population_key', 'period']) }}

with use as (
    select
        insurer_number,
        person_id,
        service_month,
        ingredient_key,
        {{ places_of_members('residence_prefecture_code', 'enrolment_prefecture_code') }} as places,
        sum(quantity_share_unit) as quantity
    from {{ ref('int_drug_use') }}
    where share_side is not null and quantity_claim_unit is not null
    group by insurer_number, person_id, service_month, ingredient_key, residence_prefecture_code, enrolment_prefecture_code
),

person_at_level as (
    select
        use.insurer_number,
        place.place_level,
        place.geography,
        place.place_key,
        ingredient_level as ingredient_key, -- noqa: RF02
        period.period_kind,
        period.period,
        use.person_id,
        sum(use.quantity) as quantity
    from use
    inner join {{ ref('int_period_member') }} as period
        on use.service_month = period.service_month and {{ within_touched_periods('use.service_month') }}
        lateral view explode(use.places) as place
        lateral view explode(array(use.ingredient_key, 'all')) as ingredient_level
    where {{ touched(['period'], 'period') }}
    group by
        use.insurer_number,
        place.place_level,
        place.geography,
        place.place_key,
        ingredient_level, -- noqa: RF02
        period.period_kind,
        period.period,
        use.person_id
),

used as (
    select
        insurer_number,
        place_level,
        geography,
        place_key,
        ingredient_key,
        period_kind,
        period,
        count(person_id) as patient_count,
        sum(quantity) as quantity
    from person_at_level
    group by insurer_number, place_level, geography, place_key, ingredient_key, period_kind, period
),

member as (
    select
        member.insurer_number,
        member.service_month,
        member.member_count,
        {{ places_of_members('member.residence_prefecture_code', 'member.enrolment_prefecture_code') }} as places,
        period.period_kind,
        period.period
    from {{ ref('int_member_cell') }} as member
    inner join {{ ref('int_period_member') }} as period
        on member.service_month = period.service_month and {{ within_touched_periods('member.service_month') }}
    where {{ touched(['period'], 'period') }}
),

-- a member file that leaves out months of the period tells nothing of it
known as (
    select
        member.insurer_number,
        member.period_kind,
        member.period
    from member
    inner join {{ ref('dim_period') }} as period on member.period_kind = period.period_kind and member.period = period.period
    group by member.insurer_number, member.period_kind, member.period, period.months_in_period
    having count(distinct member.service_month) = period.months_in_period
),

members as (
    select
        population.population_kind,
        population.population_key,
        place.place_level,
        place.geography,
        place.place_key,
        member.period_kind,
        member.period,
        sum(member.member_count) as member_months
    from member
    left semi join known
        on member.insurer_number = known.insurer_number and member.period_kind = known.period_kind and member.period = known.period
    inner join {{ ref('int_population_member') }} as population on member.insurer_number = population.insurer_number
        lateral view explode(member.places) as place
    group by
        population.population_kind,
        population.population_key,
        place.place_level,
        place.geography,
        place.place_key,
        member.period_kind,
        member.period
),

summed as (
    select
        population.population_kind,
        population.population_key,
        used.place_level,
        used.geography,
        used.place_key,
        used.ingredient_key,
        used.period_kind,
        used.period,
        sum(used.patient_count) as patient_count,
        sum(used.quantity) as quantity,
        sum(used.patient_count) filter (where known.insurer_number is not null) as member_patient_count,
        sum(used.quantity) filter (where known.insurer_number is not null) as member_quantity
    from used
    inner join {{ ref('int_population_member') }} as population on used.insurer_number = population.insurer_number
    left join known
        on used.insurer_number = known.insurer_number and used.period_kind = known.period_kind and used.period = known.period
    group by
        population.population_kind,
        population.population_key,
        used.place_level,
        used.geography,
        used.place_key,
        used.ingredient_key,
        used.period_kind,
        used.period
)

select
    summed.population_kind,
    summed.population_key,
    summed.place_level,
    summed.place_key,
    summed.geography,
    summed.ingredient_key,
    summed.period_kind,
    summed.period,
    summed.patient_count,
    cast(summed.quantity as decimal(24, 6)) as quantity,
    coalesce(summed.member_patient_count, 0) as member_patient_count,
    cast(coalesce(summed.member_quantity, 0) as decimal(24, 6)) as member_quantity,
    members.member_months,
    case
        when members.member_months > 0
            then {{ per_1000('coalesce(summed.member_patient_count, 0)', 'period.months_in_period', 'members.member_months') }}
    end as patients_per_1000_members,
    case
        when members.member_months > 0
            then {{ per_1000('coalesce(summed.member_quantity, 0)', 'period.months_in_period', 'members.member_months') }}
    end as units_per_1000_members,
    if(members.member_months > 0, null, 'no_member_file') as not_computable_reason,
    period.months_in_period
from summed
inner join {{ ref('dim_period') }} as period on summed.period_kind = period.period_kind and summed.period = period.period
left join members
    on
        summed.population_kind = members.population_kind
        and summed.population_key = members.population_key
        and summed.place_level = members.place_level
        and summed.place_key = members.place_key
        and summed.geography = members.geography
        and summed.period_kind = members.period_kind
        and summed.period = members.period
