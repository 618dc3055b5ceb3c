select
    sheet.fiscal_year,
    sheet.ndb_round,
    sheet.setting,
    drug.drug_code,
    drug.ingredient_key,
    drug.share_side,
    drug.claim_units_per_share_unit,
    sheet.unlisted_at_most
from {{ source('masters', 'ndb_class') }} as sheet
inner join {{ ref('int_ndb_drug') }} as drug
    on
        sheet.yakko_class_3 = drug.yakko_class_3
        and sheet.fiscal_year >= coalesce(drug.first_priced_year, 0)
        and sheet.fiscal_year <= drug.last_priced_year
inner join {{ ref('stg_masters__biosimilar_ingredient') }} as ingredient on drug.ingredient_key = ingredient.ingredient_key
left anti join {{ ref('stg_masters__ndb_quantity') }} as listed
    on
        drug.drug_code = listed.drug_code
        and sheet.fiscal_year = listed.fiscal_year
        and sheet.setting = listed.setting
where
    sheet.route = 'injection'
    and sheet.unlisted_at_most > 0
    and (drug.share_side = 'ref' or ingredient.first_bs_listing_month <= (sheet.fiscal_year + 1) * 100 + 3)
