with cell as (
    select
        ndb.*,
        drug.ingredient_key,
        drug.share_side,
        drug.claim_units_per_share_unit
    from {{ ref('stg_masters__ndb_quantity') }} as ndb
    inner join {{ ref('int_ndb_drug') }} as drug on ndb.drug_code = drug.drug_code
    where ndb.cell_kind in ('total', 'prefecture')
),

-- what is hidden in the published row (drug × setting × year) of each cell
published as (
    select
        *,
        max(case when cell_kind = 'total' then quantity_claim_unit end) over published_row as total,
        sum(case when cell_kind = 'prefecture' then quantity_claim_unit end) over published_row as visible,
        min(
            case when cell_kind = 'prefecture' and quantity_claim_unit >= hidden_below then quantity_claim_unit end
        ) over published_row as smallest_visible,
        count_if(cell_kind = 'prefecture' and is_hidden) over published_row as hidden_cell_count
    from cell
    window published_row as (partition by fiscal_year, setting, drug_code)
),

-- how much a hidden prefecture can hold (domain.md §3.2)
bounded as (
    select
        *,
        -- null: the total is hidden too, so that all cells together are below the threshold (greatest would pass over the null)
        case when total is not null then greatest(total - coalesce(visible, 0), 0) end as hidden_mass,
        case
            when total is null then hidden_below
            when ndb_round >= 5 then coalesce(smallest_visible, total)
            when visible is null then total
            else hidden_below
        end as highest_cell
    from published
),

estimated as (
    select
        fiscal_year,
        ndb_round,
        setting,
        if(cell_kind = 'total', 'nation', 'prefecture') as place_level,
        cell_key as place_key,
        ingredient_key,
        share_side,
        is_hidden,
        false as is_unlisted,
        coalesce(quantity_claim_unit, 0) / claim_units_per_share_unit as quantity,
        case
            when not is_hidden then quantity_claim_unit
            when cell_kind = 'total' or hidden_mass is null then 0
            else greatest(hidden_mass - (hidden_cell_count - 1) * least(hidden_mass, highest_cell), 0)
        end / claim_units_per_share_unit as lowest,
        case
            when not is_hidden then quantity_claim_unit
            when cell_kind = 'total' then hidden_below
            else least(coalesce(hidden_mass, highest_cell), highest_cell)
        end / claim_units_per_share_unit as highest
    from bounded
),

place as (
    select distinct
        fiscal_year,
        setting,
        place_level,
        place_key
    from estimated
),

-- a drug that the row limit cut off counts 0, and may have up to its bound in any place
with_unlisted as (
    select * from estimated
    union all
    select
        unlisted.fiscal_year,
        unlisted.ndb_round,
        unlisted.setting,
        place.place_level,
        place.place_key,
        unlisted.ingredient_key,
        unlisted.share_side,
        false as is_hidden,
        true as is_unlisted,
        0 as quantity,
        0 as lowest,
        unlisted.unlisted_at_most / unlisted.claim_units_per_share_unit as highest
    from {{ ref('int_ndb_unlisted') }} as unlisted
    inner join place on unlisted.fiscal_year = place.fiscal_year and unlisted.setting = place.setting
),

summed as (
    select
        fiscal_year,
        place_level,
        place_key,
        setting_level as setting,
        ingredient_key,
        cast(coalesce(sum(quantity) filter (where share_side = 'bs'), 0) as decimal(26, 12)) as bs_quantity,
        cast(coalesce(sum(quantity) filter (where share_side = 'ref'), 0) as decimal(26, 12)) as ref_quantity,
        cast(coalesce(sum(lowest) filter (where share_side = 'bs'), 0) as decimal(26, 12)) as bs_lowest,
        cast(coalesce(sum(highest) filter (where share_side = 'bs'), 0) as decimal(26, 12)) as bs_highest,
        cast(coalesce(sum(lowest) filter (where share_side = 'ref'), 0) as decimal(26, 12)) as ref_lowest,
        cast(coalesce(sum(highest) filter (where share_side = 'ref'), 0) as decimal(26, 12)) as ref_highest,
        cast(count_if(is_hidden) as int) as hidden_cell_count,
        cast(count_if(is_unlisted) as int) as unlisted_drug_count,
        concat_ws('・', transform(array_sort(collect_set(ndb_round)), round -> concat('第', round, '回'))) as source_rounds
    from with_unlisted
        lateral view explode(array(setting, 'all')) as setting_level
    group by fiscal_year, place_level, place_key, setting_level, ingredient_key
    having count_if(not is_unlisted) > 0
)

select
    fiscal_year,
    place_level,
    place_key,
    setting,
    ingredient_key,
    cast(bs_quantity as decimal(24, 6)) as bs_quantity,
    cast(ref_quantity as decimal(24, 6)) as ref_quantity,
    case when bs_quantity + ref_quantity > 0 then {{ ratio('bs_quantity', '(bs_quantity + ref_quantity)') }} end as share_ratio,
    case when ref_highest > 0 then {{ ratio('bs_lowest', '(bs_lowest + ref_highest)') }} else 1 end as share_ratio_low,
    case when bs_highest > 0 then {{ ratio('bs_highest', '(bs_highest + ref_lowest)') }} else 0 end as share_ratio_high,
    hidden_cell_count,
    unlisted_drug_count,
    source_rounds
from summed
where bs_highest + ref_highest > 0
