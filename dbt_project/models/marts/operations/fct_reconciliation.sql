{{ config(replace_by=['period']) }}

with payer_mix as (
    select
        coalesce(sum(member_count), 0) as member_count,
        count_if(insurer_kind in ('kokuho_city', 'kokuho_union')) = 0 as is_kokuho_absent,
        count_if(insurer_kind = 'koiki') = 0 as is_late_elderly_absent
    from {{ ref('stg_masters__insurer') }}
),

ours as (
    select
        period_kind,
        period,
        place_level,
        place_key,
        setting,
        ingredient_key,
        convention,
        share_ratio,
        patient_count,
        months_in_period
    from {{ ref('fct_biosimilar_share') }}
    where
        scope = 'brand'
        and population_kind = 'all'
        and place_level in ('nation', 'prefecture')
        and geography = 'facility_of_use'
        and period_kind = 'fiscal_year'
        and convention in ('claims_units', 'value')
        and {{ touched(['period']) }}
),

-- what the published series say of a share, in our keys
published as (
    select
        if(ingredient_key = 'all_biosimilars', 'all', ingredient_key) as ingredient_key,
        if(metric_key = 'bs_value_share', 'value', 'claims_units') as convention,
        if(
            period like 'FY%', cast(substring(period, 3) as int), year(add_months(to_date(concat(period, '-01')), -3))
        ) as fiscal_year,
        cast(value as decimal(9, 8)) as share_ratio,
        concat_ws('、', metric_ja, definition, note) as official_ja,
        source
    from {{ source('masters', 'published_series') }}
    where
        metric_key in ('bs_value_share', 'bs_quantity_share_all_ingredients', 'bs_quantity_share')
        and scope = 'national'
        and unit = 'ratio'
),

official as (
    select
        'ndb' as official_kind,
        fiscal_year,
        place_level,
        place_key,
        setting,
        ingredient_key,
        'claims_units' as convention,
        share_ratio,
        share_ratio_low,
        share_ratio_high,
        hidden_cell_count,
        unlisted_drug_count,
        concat('NDBオープンデータ ', source_rounds) as official_ja,
        '厚生労働省 NDBオープンデータ' as source
    from {{ ref('fct_ndb_share') }}
    union all
    select
        'published' as official_kind,
        fiscal_year,
        'nation' as place_level,
        'all' as place_key,
        'all' as setting,
        ingredient_key,
        convention,
        share_ratio,
        share_ratio as share_ratio_low,
        share_ratio as share_ratio_high,
        0 as hidden_cell_count,
        0 as unlisted_drug_count,
        official_ja,
        source
    from published
),

side_by_side as (
    select
        ours.*,
        official.official_kind,
        official.fiscal_year as official_fiscal_year,
        official.share_ratio as official_share_ratio,
        official.share_ratio_low as official_share_ratio_low,
        official.share_ratio_high as official_share_ratio_high,
        official.hidden_cell_count,
        official.unlisted_drug_count,
        official.official_ja,
        official.source,
        row_number() over (
            partition by
                ours.period,
                ours.place_level,
                ours.place_key,
                ours.setting,
                ours.ingredient_key,
                ours.convention,
                official.official_kind
            order by abs(official.fiscal_year - ours.period), official.fiscal_year desc
        ) as distance_rank
    from ours
    inner join official
        on
            ours.place_level = official.place_level
            and ours.place_key = official.place_key
            and ours.setting = official.setting
            and ours.ingredient_key = official.ingredient_key
            and ours.convention = official.convention
)

select
    side.period_kind,
    side.period,
    side.place_level,
    side.place_key,
    side.setting,
    side.ingredient_key,
    side.convention,
    side.official_kind,
    side.share_ratio,
    side.patient_count,
    side.official_fiscal_year,
    side.official_share_ratio,
    side.official_share_ratio_low,
    side.official_share_ratio_high,
    cast(100 * (side.share_ratio - side.official_share_ratio) as decimal(7, 4)) as difference_point,
    side.official_fiscal_year - side.period as year_distance,
    side.months_in_period,
    side.hidden_cell_count,
    side.unlisted_drug_count,
    payer_mix.member_count,
    payer_mix.is_kokuho_absent,
    payer_mix.is_late_elderly_absent,
    concat_ws(
        '、',
        case when side.official_fiscal_year <> side.period then concat('年度が異なる（公式値は', side.official_fiscal_year, '年度）') end,
        case when side.months_in_period < 12 then concat('年度の途中（', side.months_in_period, 'か月分）') end,
        '参加保険者の加入者だけで地域全体ではない',
        case when payer_mix.is_kokuho_absent then '国民健康保険の加入者を含まない' end,
        case when payer_mix.is_late_elderly_absent then '75歳以上（後期高齢者医療）を含まない' end,
        case when side.official_kind = 'published' then '公式値は包括分（DPC・透析）や販売数量を含むことがある' end,
        case when side.hidden_cell_count > 0 then concat('公式値に秘匿のセルがある（', side.hidden_cell_count, '）') end,
        case when side.unlisted_drug_count > 0 then concat('公式値に載らない品目がありうる（', side.unlisted_drug_count, '）') end
    ) as reasons_ja,
    side.official_ja,
    side.source
from side_by_side as side
cross join payer_mix
where side.distance_rank = 1
