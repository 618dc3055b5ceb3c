select
    insurer.insurer_number,
    population.population_kind,
    population.population_key
from {{ ref('stg_masters__insurer') }} as insurer
    lateral view explode(array(
        named_struct('population_kind', 'all', 'population_key', 'all'),
        named_struct('population_kind', 'insurer_kind', 'population_key', insurer.insurer_kind),
        named_struct('population_kind', 'insurer', 'population_key', insurer.insurer_number)
    )) as population
