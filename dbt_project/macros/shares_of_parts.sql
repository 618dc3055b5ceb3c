{#
Shares of parts of the use (by sex and age, by area): years, populations and places as in fct_biosimilar_share, beside `keys` that name the part.
The CTE `part` must have insurer_number, person_id, service_month, ingredient_key, places (places_of_use), the keys, quantity and bs_quantity
(null = no BS): what a person used of an ingredient in a month. A person counts once in each part. `where` tells which populations and places stand.
#}
{% macro shares_of_parts(keys, where='true') -%}
{%- set cell = keys + ['ingredient_key', 'place_level', 'geography', 'place_key', 'period_kind', 'period'] -%}
person_at_level as (
    select
        {%- for key in keys %}
        part.{{ key }},
        {%- endfor %}
        part.insurer_number,
        part.person_id,
        ingredient_level as ingredient_key, -- noqa: RF02
        place.place_level,
        place.geography,
        place.place_key,
        period.period_kind,
        period.period,
        sum(part.quantity) as quantity,
        sum(part.bs_quantity) as bs_quantity
    from part
    inner join {{ ref('int_period_member') }} as period
        on
            part.service_month = period.service_month
            and {{ within_touched_periods('part.service_month') }}
            and {{ touched(['period'], 'period') }}
            and period.period_kind in ('fiscal_year', 'rolling_12')
        lateral view explode(part.places) as place
        lateral view explode(array(part.ingredient_key, 'all')) as ingredient_level
    group by
        {%- for key in keys %}
        part.{{ key }},
        {%- endfor %}
        part.insurer_number,
        part.person_id,
        ingredient_level, -- noqa: RF02
        place.place_level,
        place.geography,
        place.place_key,
        period.period_kind,
        period.period
),

of_insurer as (
    select
        insurer_number,
        {{ cell | join(',\n        ') }},
        sum(quantity) as quantity,
        sum(bs_quantity) as bs_quantity,
        count(person_id) as patient_count,
        count_if(person_id is not null and bs_quantity is not null) as bs_patient_count
    from person_at_level
    group by
        insurer_number,
        {{ cell | join(',\n        ') }}
),

summed as (
    select
        population.population_kind,
        population.population_key,
        of_insurer.{{ cell | join(',\n        of_insurer.') }},
        cast(coalesce(sum(of_insurer.bs_quantity), 0) as decimal(26, 12)) as numerator,
        cast(sum(of_insurer.quantity) as decimal(26, 12)) as denominator,
        sum(of_insurer.bs_patient_count) as bs_patient_count,
        sum(of_insurer.patient_count) as patient_count
    from of_insurer
    inner join {{ ref('int_population_member') }} as population on of_insurer.insurer_number = population.insurer_number
    where {{ where }}
    group by
        population.population_kind,
        population.population_key,
        of_insurer.{{ cell | join(',\n        of_insurer.') }}
)

select
    summed.population_kind,
    summed.population_key,
    summed.place_level,
    summed.place_key,
    share_geography as geography, -- noqa: RF02
    {%- for key in keys %}
    summed.{{ key }},
    {%- endfor %}
    summed.ingredient_key,
    summed.period_kind,
    summed.period,
    cast(summed.numerator as decimal(24, 6)) as numerator,
    cast(summed.denominator as decimal(24, 6)) as denominator,
    {{ ratio('summed.numerator', 'summed.denominator') }} as share_ratio,
    summed.bs_patient_count,
    summed.patient_count,
    summed.patient_count < {{ var('least_patients_shown') }} as is_small_cell,
    period.months_in_period
from summed
inner join {{ ref('dim_period') }} as period on summed.period_kind = period.period_kind and summed.period = period.period
    lateral view explode({{ geographies_of('summed.geography') }}) as share_geography
where summed.denominator > 0
{%- endmacro %}
