{{ config(replace_by=['population_key', 'period']) }}

with part as (
    select
        insurer_number,
        person_id,
        service_month,
        ingredient_key,
        array(
            named_struct('place_level', 'facility', 'geography', 'facility_of_use', 'place_key', coalesce(facility_code, '00')),
            named_struct('place_level', 'facility', 'geography', 'prescriber', 'place_key', coalesce(prescriber_facility_code, '00')),
            {% for level in ('municipality', 'secondary_area') -%}
                {% for geography, of in (('facility_of_use', 'facility'), ('prescriber', 'prescriber'), ('residence', 'residence')) -%}
                    named_struct('place_level', '{{ level }}', 'geography', '{{ geography }}', 'place_key', {{ of }}_{{ level }}_code)
                    {{- ', ' if not loop.last }}
                {%- endfor -%}
                {{- ', ' if not loop.last }}
            {%- endfor %}
        ) as places,
        sum(quantity_share_unit) as quantity,
        sum(quantity_share_unit) filter (where share_side = 'bs') as bs_quantity
    from {{ ref('int_drug_use') }}
    where share_side is not null and quantity_claim_unit is not null
    group by insurer_number, person_id, service_month, ingredient_key, places
),

-- a named facility is for those whose members use it: each insurer's own
{{ shares_of_parts(
    [],
    "population.population_kind = 'insurer' or (population.population_kind = 'all' and of_insurer.place_level <> 'facility')"
) }}
