"""Every table that `spark_jobs` writes, declared once: columns, types, comments (Japanese term first), key, partitioning.

dbt owns `marts` and what leads to it; nothing here declares those. Decimals for money and quantities, never floats. Months are `YYYYMM`.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

QUANTITY = "decimal(18,5)"
MONEY = "decimal(18,4)"


@dataclass(frozen=True)
class Column:
    name: str
    type: str
    comment: str


@dataclass(frozen=True)
class Table:
    """`schema.name`; `key` is unique (tests hold it); `partition_by` at most one column.

    `version` rises when the same columns come to hold other contents: `lake migrate` has them derived anew.
    """

    name: str
    comment: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    partition_by: tuple[str, ...] = ()
    version: int = 1

    @cached_property
    def column_names(self) -> list[str]:
        return [c.name for c in self.columns]

    def shaped(self, frame: "DataFrame") -> "DataFrame":
        """The frame with exactly this table's columns, in order, cast to its types: the contract of what is written."""
        return frame.selectExpr(*(f"cast({c.name} as {c.type}) as {c.name}" for c in self.columns))


def _columns(text: str) -> tuple[Column, ...]:
    """One column a line: name, type, comment, split at ` | `."""
    rows = (line.split("|", 2) for line in text.strip().splitlines())
    return tuple(Column(name.strip(), type_.strip(), comment.strip()) for name, type_, comment in rows)


FILE = "file_sha256 | string | ファイルのハッシュ値: SHA-256 of the delivered file, as received"
DEPOSITOR = "insurer_number | string | 提出した保険者: depositor, who may see the file"

RECEIPT = """depositor_number | string | 提出した保険者: insurer that delivered the file
receipt_seq | int | receipt in the file, 1-based"""

DELIVERY = Table(
    "landing.delivery",
    "受領の記録: one row per event of a delivered file; append-only, the latest event of a file is its state",
    _columns(f"""
{DEPOSITOR}
{FILE}
event_no | int | 1 = received, counts up within one file of one depositor
state | string | received, bronze, silver, rejected, superseded, withdrawn
file_name | string | ファイル名: name as delivered
file_path | string | where its owner keeps it (outside the lake)
file_bytes | bigint | size in bytes
claim_form | string | insurer (レセ電コード情報ファイル) or claim (請求ファイル), recognised from content
claim_kind | string | med, dpc, den, pha, nur, recognised from content
claim_month | int | 請求年月: claim month of the first provider record, YYYYMM
receipt_count | bigint | receipts found (of the event bronze)
line_count | bigint | lines of the file, quarantined ones included (of the event bronze)
quarantine_count | bigint | lines in quarantine (of the event bronze)
mismatch_rule | string | keep or reject: what to do with claims of another insurer than the depositor
detail | string | reason of a rejection, in words
recorded_at | timestamp | when the event was recorded (operations only; no figure reads it)
"""),
    key=("insurer_number", "file_sha256", "event_no"),
)

DELIVERY_FINDING = Table(
    "landing.delivery_finding",
    "点検結果: one row per finding on a delivered file: what was found, what was expected, what to do",
    _columns(f"""
{DEPOSITOR}
{FILE}
severity | string | stop (lines or the file were kept out) or tell (taken in, but look at it)
rule | string | name of the rule, as in docs/data_quality.md
line_no | int | physical line, 1-based; null for the whole file
receipt_seq | int | receipt in the file, 1-based; null for the whole file
found | string | what was found, never a person's data
expected | string | what was expected
action | string | what to do
"""),
    key=("insurer_number", "file_sha256", "rule", "line_no", "receipt_seq"),
)

CLAIM_LINE = Table(
    "bronze.claim_line",
    "レセプトの行: one row per line of a delivered file, as sent, with sensitive fields replaced (claim_format/privacy.csv)",
    _columns(f"""
{DEPOSITOR}
{FILE}
claim_form | string | insurer or claim
claim_kind | string | med, dpc, den, pha, nur
claim_month | int | 請求年月 of the delivery, YYYYMM
line_no | int | physical line, 1-based
receipt_seq | int | receipt in the file, 1-based; 0 = before the first receipt or the file's end
record_type | string | レコード識別情報: IR, RE, HO …
line | string | the line; pseudonyms stand where names and numbers stood
key_version | int | version of the key that made the pseudonyms
"""),
    key=("insurer_number", "file_sha256", "line_no"),
    partition_by=("insurer_number",),
)

QUARANTINE_LINE = Table(
    "bronze.quarantine_line",
    "隔離した行: one row per line that can not be read; its content sealed to its owner",
    _columns(f"""
{DEPOSITOR}
{FILE}
claim_month | int | 請求年月 of the delivery, YYYYMM; 0 if unknown
line_no | int | physical line, 1-based
receipt_seq | int | receipt in the file, 1-based; 0 = outside a receipt
rule | string | rule broken: field_count, bad_byte, cut_receipt, unknown_record …
detail | string | found and expected, never a person's data
sealed_line | binary | the line as sent (bytes), sealed to the owner's public key (age); null where no key was given
"""),
    key=("insurer_number", "file_sha256", "line_no"),
    partition_by=("insurer_number",),
)

CLAIM_ID = """
claim_key | string | レセプトの鍵: receipt_key of silver.claim_copy; from the second equal receipt of a month on with its number
insurer_number | string | 保険者番号: insurer of the claim, from HO; null = public payers only
claim_month | int | 請求年月: claim month of the delivery, YYYYMM
service_month | int | 診療年月: month of treatment, YYYYMM
claim_kind | string | med, dpc, den, pha, nur
"""

CLAIM = Table(
    "silver.claim",
    "レセプト: one row per claim and state of knowledge, corrections of the review body (JY) applied",
    _columns(f"""{CLAIM_ID.strip()}
claim_form | string | insurer or claim
setting | string | 入院・入院外: inpatient or outpatient
receipt_type | string | レセプト種別: 4 digits
beneficiary_class | string | 本人, 家族, 未就学, 高齢一般, 高齢7割; empty for public payers only
facility_code | string | 医療機関・薬局コード: 10 digits, prefecture 2 + fee table 1 + number 7
prescriber_facility_code | string | 処方医療機関: 10 digits; of 調剤 only
person_id1 | string | ID1: pseudonym of insurer, symbol, number, birth date, sex; null without HO
person_id2_kana | string | ID2: pseudonym of kana name, birth date, sex
person_id2_kanji | string | ID2: pseudonym of name, birth date, sex
workplace_id | string | 記号: pseudonym of the insured symbol, the workplace
branch_no | string | 枝番: 2 digits, where SN gives it
key_version | int | version of the key that made the pseudonyms
sex | string | 男女区分: 1 male, 2 female
birth_month | int | 生年月: YYYYMM
age | int | 年齢: completed years at the end of the service month
benefit_rate | int | 給付割合: percent
special_notes | string | 特記事項: up to five codes of 2, as given
copay_amount_yen | decimal(18,0) | 負担金額 of the medical insurance, yen
copay_class | string | 一部負担金区分 of RE
copay_info_class | string | 窓口負担額区分 of MF
treatment_days | int | 診療実日数; for 調剤 処方箋受付回数
admission_date | date | 入院年月日
points_billed | decimal(18,0) | 請求点数: total as billed (HO; KO where there is no HO)
points_decided | decimal(18,0) | 決定点数: total after the first review (JY); later 再審査 and 過誤 not in it
points_of_lines | decimal(18,0) | Σ points × times of the decided lines, 97 left out (identities 1, 2, 8)
state | string | billed (as sent) or corrected (JY applied)
is_public_payer_only | boolean | 公費単独: no medical insurance
depositor_number | string | 提出した保険者: insurer that delivered the file
{FILE}
receipt_seq | int | receipt in the file, 1-based
search_no | string | 検索番号 of the receipt (MN; claim month and 管理番号 where it is empty); null in the claim form
reclaim_of_search_no | string | 検索番号 of the receipt that this one claims again (再請求)
known_from_claim_month | int | first claim month at which this state was known
known_to_claim_month | int | last claim month at which it was known; 999912 = still
"""),
    key=("claim_key", "known_from_claim_month"),
    partition_by=("insurer_number",),
)

CLAIM_DRUG = Table(
    "silver.claim_drug",
    "医薬品: one row per drug line of a claim, corrections applied",
    _columns(f"""{CLAIM_ID.strip()}
line_no | int | physical line in the file, 1-based
drug_code | string | 医薬品コード: 9 digits
quantity_claim_unit | {QUANTITY} | 使用量 in the unit of the drug code; 医科 and DPC 使用量 × 回数, 調剤 使用量 × Σ 調剤数量; null where the line has none
setting | string | 入院・入院外: inpatient or outpatient
bundle_kind | string | 包括: none, dpc, dialysis, inpatient_fee, unknown
treatment_class | string | 診療識別, carried forward; null for 調剤
burden_class | string | 負担区分: who pays the line
is_paid_by_insurer | boolean | the 負担区分 includes medical insurance
first_use_date | date | first day of use; null where the form does not give it
facility_code | string | 医療機関・薬局コード: 10 digits
prescriber_facility_code | string | 処方医療機関: 10 digits; of 調剤 only
person_id1 | string | ID1
sex | string | 男女区分
age | int | 年齢 at the end of the service month
{FILE}
{RECEIPT}
"""),
    key=("claim_key", "file_sha256", "line_no"),
    partition_by=("insurer_number",),
)

CLAIM_DIAGNOSIS = Table(
    "silver.claim_diagnosis",
    "傷病名: one row per diagnosis of a claim",
    _columns(f"""{CLAIM_ID.strip()}
line_no | int | physical line in the file, 1-based
disease_code | string | 傷病名コード: 7 digits, 0000999 = not coded
modifier_codes | string | 修飾語コード: up to 20 codes of 4
start_date | date | 診療開始日; null in a DPC block, which gives none
outcome | string | 転帰区分
is_main | boolean | 主傷病
is_suspected | boolean | 疑い: modifier 8002, or an uncoded name that ends so
{FILE}
{RECEIPT}
"""),
    key=("claim_key", "file_sha256", "line_no"),
    partition_by=("insurer_number",),
)

CLAIM_PAYER = Table(
    "silver.claim_payer",
    "負担者: one row per payer of a claim: the insurer (0) and public payers (1-4)",
    _columns(f"""{CLAIM_ID.strip()}
payer_order | int | 0 = medical insurance, 1-4 = 公費①-④
payer_number | string | 保険者番号 or 公費負担者番号
law_number | string | 法別番号: 2 digits; null for 国保 (6-digit numbers)
treatment_days | int | 診療実日数 or 処方箋受付回数
points_billed | decimal(18,0) | 請求点数
points_decided | decimal(18,0) | 決定点数
copay_amount_yen | decimal(18,0) | 負担金額, yen
{FILE}
{RECEIPT}
"""),
    key=("claim_key", "file_sha256", "payer_order"),
    partition_by=("insurer_number",),
)

CLAIM_PROCEDURE = Table(
    "silver.claim_procedure",
    "診療行為・調剤行為: one row per procedure or fee of a claim, corrections applied",
    _columns(f"""{CLAIM_ID.strip()}
line_no | int | physical line in the file, 1-based
place_in_line | int | 1 but for 調剤, where a line (CZ, KI) holds several fees
procedure_code | string | 診療行為コード・調剤行為コード: 9 digits
quantity | int | 数量データ, where the code asks for one
points | bigint | 点数 of the 剤 (on its last line only); null for what the DPC bundle pays
times | int | 回数; null for 調剤
setting | string | 入院・入院外: inpatient or outpatient
treatment_class | string | 診療識別, carried forward; null for 調剤
burden_class | string | 負担区分: who pays the line
is_paid_by_insurer | boolean | the 負担区分 includes medical insurance
is_bundled | boolean | 包括: given under the DPC bundle (CD), not paid apart
first_date | date | first day; null where the form does not give it
facility_code | string | 医療機関・薬局コード: 10 digits
prescriber_facility_code | string | 処方医療機関: 10 digits; of 調剤 only
person_id1 | string | ID1
{FILE}
{RECEIPT}
"""),
    key=("claim_key", "file_sha256", "line_no", "place_in_line"),
    partition_by=("insurer_number",),
)

CLAIM_COPY = Table(
    "silver.claim_copy",
    "提出されたレセプト: one row per delivered receipt: a copy of a claim, its return (返戻) or its re-claim; which of them count is worked out from these",
    _columns(f"""
insurer_number | string | 保険者番号: insurer of the claim, from HO; null = public payers only
{FILE}
{RECEIPT}
claim_form | string | insurer or claim
claim_kind | string | med, dpc, den, pha
claim_month | int | 請求年月 of the delivery, YYYYMM
service_month | int | 診療年月, YYYYMM
event | string | claim, or return (返戻: データ識別 8)
is_reclaim | boolean | 再請求: it takes the place of an earlier receipt
header_key | string | hash of what the provider sent but the person: insurer, facility, kind, receipt type, service month, prescriber, admission date
receipt_key | string | hash of header_key and the person
person_id1 | string | ID1 as sent; null without HO
person_id2_kana | string | ID2 as sent
person_id2_kanji | string | ID2 as sent
key_version | int | version of the key that made the pseudonyms
content | string | what each payer was billed, as sent; tells equal receipts apart
search_no | string | 検索番号 of the receipt
refers_search_no | string | 検索番号 that it returns or claims again
"""),
    key=("depositor_number", "file_sha256", "receipt_seq"),
    partition_by=("insurer_number",),
)

PERSON = Table(
    "silver.person",
    "加入者 (仮名): one row per person_id1 of an insurer, as seen on receipts",
    _columns("""
insurer_number | string | 保険者番号
person_id1 | string | ID1
person_id2_kana | string | ID2 from kana name, of the latest claim that gives it
person_id2_kanji | string | ID2 from name, of the latest claim that gives it
workplace_id | string | pseudonym of 記号, of the latest claim
sex | string | 男女区分
birth_month | int | 生年月, YYYYMM
beneficiary_class | string | 本人・家族 …, of the latest claim
first_service_month | int | first 診療年月 seen
last_service_month | int | last 診療年月 seen
kana_service_month | int | 診療年月 of the claim that person_id2_kana is of
kanji_service_month | int | 診療年月 of the claim that person_id2_kanji is of
key_version | int | version of the key
"""),
    key=("insurer_number", "person_id1"),
    partition_by=("insurer_number",),
)

FACILITY = Table(
    "silver.facility",
    "医療機関・薬局: one row per facility and validity, from receipts",
    _columns("""
facility_code | string | 10 digits: prefecture 2 + fee table 1 + number 7
facility_name | string | 名称
facility_address | string | 所在地, where given
prefecture_code | string | 都道府県: 01-47
fee_table | string | 点数表: 1 医科, 3 歯科, 4 調剤, 6 訪問看護
is_own_name | boolean | true = as the facility writes it (IR, YK); false = as a pharmacy first wrote it (RE of 調剤)
valid_from_claim_month | int | first claim month under this name
valid_to_claim_month | int | last claim month under this name; 999912 = still
"""),
    key=("facility_code", "valid_from_claim_month", "facility_name"),
)

MEMBER_MONTH = Table(
    "silver.member_month",
    "加入者の月 (仮名): one row per person and month of eligibility, from the insurer's member file; no row where there is no file",
    _columns("""
insurer_number | string | 保険者番号
person_id1 | string | ID1, equal to that of the person's receipts
service_month | int | 月, YYYYMM: eligible on at least one day of it
beneficiary_class | string | 本人, 家族
sex | string | 男女区分: 1 male, 2 female
birth_month | int | 生年月, YYYYMM
age | int | 年齢: completed years at the end of the month
branch_no | string | 枝番: 2 digits, where given
workplace_id | string | 記号: pseudonym of the insured symbol, as on receipts
employer_id | string | 事業所記号: pseudonym of the workplace as the insurer numbers it, where given
industry | string | 業種, as the insurer names it
residence_municipality | string | 居住地の市町村コード: 5 digits
income_class | string | 所得区分: ア-オ, 一般, 現役並みⅠ-Ⅲ …, where given
key_version | int | version of the key that made the pseudonyms
source | string | 出典: hash of the files read together
source_date | date | date of the member file
"""),
    key=("insurer_number", "person_id1", "service_month"),
    partition_by=("insurer_number",),
)

CLAIM_REVIEW = Table(
    "silver.claim_review",
    "再審査・過誤の結果: one row per result that a review body gave after the first review; silver.claim keeps the points of the first",
    _columns(f"""
insurer_number | string | 保険者番号: insurer of the claim; null = public payers only
depositor_number | string | 提出した保険者
{FILE}
line_no | int | line in the file, 1-based
file_name | string | name of the result file as loaded; null = the result stood in a delivered receipt (MK)
search_no | string | 検索番号 of the claim that was reviewed again
service_month | int | 診療年月 of the claim, YYYYMM
processing_month | int | 処理年月: month of the result, YYYYMM; a return closes the claim from it on
result_code | string | 審査結果: 3 digits, 101-199 支払基金, 2xx 国保連; null = given in words only
effect | string | returned 返戻・過誤取下げ, reduced 査定, restored 復活, upheld 原審どおり; null = the code does not say
points_after | decimal(18,0) | 決定後点数, where given
"""),
    key=("depositor_number", "file_sha256", "line_no"),
)

SOURCE = """
source | string | 出典: document
source_date | date | date of the document
"""

DRUG = Table(
    "masters.drug",
    "医薬品マスター: one row per 9-digit drug code and validity",
    _columns(f"""
drug_code | string | 医薬品コード: 9 digits, the key on claims
drug_name_ja | string | 医薬品名
unit_ja | string | 単位 of the claim
yakka_code_12 | string | 薬価基準収載医薬品コード: 12 digits, no product key
yakko_class_3 | string | 薬効分類: 3 digits
yakko_class_name_ja | string | 薬効分類名
counts_for_addon | boolean | 後発品 = 1: counts for the generic-drug add-on
valid_from | date | first day
valid_to | date | last day; null = open
{SOURCE.strip()}
"""),
    key=("drug_code", "valid_from"),
)

DRUG_PRICE = Table(
    "masters.drug_price",
    "薬価: one row per 9-digit drug code and validity, per claim unit",
    _columns(f"""
drug_code | string | 医薬品コード: 9 digits
price_yen | {MONEY} | 薬価, yen per claim unit (not per 規格単位)
valid_from | date | first day
valid_to | date | last day; null = open
is_assumed | boolean | true: price of another year carried over (FY2022 prices of other drugs)
{SOURCE.strip()}
"""),
    key=("drug_code", "valid_from"),
)

BIOSIMILAR_INGREDIENT = Table(
    "masters.biosimilar_ingredient",
    "成分: one row per ingredient with biosimilars",
    _columns(f"""
ingredient_key | string | key of the ingredient
ingredient_ja | string | 成分名
reference_brand_ja | string | 先行バイオ医薬品: counted brand
therapeutic_area_ja | string | 領域
first_bs_listing_month | int | 初収載: month of the first BS or bioAG listing, YYYYMM; null = none
is_in_kpi_denominator | boolean | counted among the ingredients of the national KPI from its first listing on
{SOURCE.strip()}
"""),
    key=("ingredient_key",),
)

BIOSIMILAR_PRODUCT = Table(
    "masters.biosimilar_product",
    "バイオ医薬品の役割: one row per 9-digit drug code of a biosimilar ingredient and validity",
    _columns(f"""
drug_code | string | 医薬品コード: 9 digits
yakka_code_12 | string | 薬価基準収載医薬品コード valid then
ingredient_key | string | key of the ingredient
product_role | string | REF 先行品, SAME 同一成分だが対象外, BS バイオ後続品, bioAG バイオAG
product_name_ja | string | 品名
claim_units_per_price_list_unit | {QUANTITY} | 1, but 28 for 回分 codes of teriparatide
reference_drug_code | string | 対応する先行品: 9-digit code of the matched reference; null = none, not computable
reference_units_per_unit | decimal(18,8) | how many claim units of the reference equal one claim unit of this product
match_kind | string | same_strength_and_container, same_strength_other_container, per_unit_content
valid_from | date | first day
valid_to | date | last day claimable; null = open
{SOURCE.strip()}
"""),
    key=("drug_code", "valid_from"),
)

BIOSIMILAR_FORM = Table(
    "masters.biosimilar_form",
    "BSのある剤形・規格の先行品: one row per 9-digit code of a reference and validity in which a BS or bioAG of its form is listed",
    _columns(f"""
drug_code | string | 医薬品コード: 9 digits, of the reference
ingredient_key | string | key of the ingredient
valid_from | date | first day
valid_to | date | last day; null = open
{SOURCE.strip()}
"""),
    key=("drug_code", "valid_from"),
)

THERAPEUTIC_AREA = Table(
    "masters.therapeutic_area",
    "領域: one row per 9-digit code of a biosimilar ingredient: the area that it serves, or that the diagnosis decides",
    _columns(f"""
drug_code | string | 医薬品コード: 9 digits
ingredient_key | string | key of the ingredient
therapeutic_area_key | string | 領域; null = only the diagnosis tells
is_decided_by_diagnosis | boolean | an indication of the claim's diagnoses goes before therapeutic_area_key
{SOURCE.strip()}
"""),
    key=("drug_code",),
)

BIOSIMILAR_INDICATION = Table(
    "masters.biosimilar_indication",
    "効能・効果: one row per ingredient, indication of its reference, ICD-10 prefix and validity: does any BS carry it",
    _columns(f"""
ingredient_key | string | key of the ingredient
indication_ja | string | 効能・効果
therapeutic_area_key | string | 領域 of the indication
icd10_prefix | string | ICD-10, without the dot; the longest prefix that fits a diagnosis decides
is_covered | boolean | 適応あり: a BS carries it; null = not known
valid_from | date | first day
valid_to | date | last day; null = open
is_start_assumed | boolean | the day of coverage is not known: taken as the first listing of a BS
{SOURCE.strip()}
"""),
    key=("ingredient_key", "indication_ja", "icd10_prefix", "valid_from"),
)

DISEASE = Table(
    "masters.disease",
    "傷病名マスター: one row per 7-digit disease code and validity; without it no diagnosis has an ICD-10 code",
    _columns(f"""
disease_code | string | 傷病名コード: 7 digits, the key on claims
disease_name_ja | string | 傷病名
icd10_code | string | ICD-10 without the dot; null = none
valid_from | date | first day
valid_to | date | last day; null = open
{SOURCE.strip()}
"""),
    key=("disease_code", "valid_from"),
)

GENERIC_CLASS = Table(
    "masters.generic_class",
    "後発医薬品に関する情報: one row per 12-digit code and validity",
    _columns(f"""
yakka_code_12 | string | 薬価基準収載医薬品コード
availability_class | string | 1, 2, 3, ★, ☆; null = outside the ratio
is_excluded_from_addon | boolean | 加算等の算定対象外
is_counted_in_cutoff | boolean | カットオフ値の算出に用いる
valid_from | date | first day
valid_to | date | last day; null = open
{SOURCE.strip()}
"""),
    key=("yakka_code_12", "valid_from"),
)

PREFECTURE = Table(
    "masters.prefecture",
    "都道府県: one row per prefecture",
    _columns("""
prefecture_code | string | 01-47 (JIS X 0401)
prefecture_ja | string | 名称
prefecture_short_ja | string | 略称, for tiles
prefecture_en | string | English name
tile_column | int | column on the tile map, 1 = west
tile_row | int | row on the tile map, 1 = north
"""),
    key=("prefecture_code",),
)

STRUCTURAL_BREAK = Table(
    "masters.structural_break",
    "制度の変わり目: one row per dated event that bends a series",
    _columns(f"""
break_date | date | day of effect
break_kind | string | price_revision, fee_revision, listing_rule, patient_payment …
title_ja | string | 名称
title_en | string | English title
affects | string | 影響: what it bends, ; between (value, savings, bs quantity …)
ingredient_keys | string | 関係する成分, comma between; null = all
{SOURCE.strip()}
"""),
    key=("break_date", "title_en"),
)

NDB_QUANTITY = Table(
    "masters.ndb_quantity",
    "NDBオープンデータ: one row per round, route, setting, drug and cell (nation, prefecture or month), as published",
    _columns("""
fiscal_year | int | 年度 of treatment: round + 2013
ndb_round | int | 第 n 回
route | string | injection, oral, topical
setting | string | inpatient, outpatient_in_hospital, outpatient_pharmacy
cell_kind | string | total (総計), prefecture, month
cell_key | string | all, 01-47 or YYYYMM
drug_code | string | 医薬品コード: 9 digits
drug_name_ja | string | 医薬品名 as published
yakka_code_12 | string | 薬価基準収載医薬品コード
quantity_claim_unit | decimal(24,5) | published quantity; null = hidden, never 0
is_hidden | boolean | a dash stood in the cell
hidden_below | int | threshold of the table: 400 or 1000
source | string | file name
"""),
    key=("fiscal_year", "route", "setting", "cell_kind", "cell_key", "drug_code"),
)

PUBLISHED_SERIES = Table(
    "masters.published_series",
    "公表値: one row per published figure of a metric, scope, ingredient and period; many definitions, context for ours",
    _columns("""
metric_key | string | 指標: bs_value_share, generic_quantity_share …
metric_ja | string | 名称
scope | string | 範囲: national, kyokai_kenpo …
ingredient_key | string | 成分; all_biosimilars, all_generics = all of them
period | string | 期間: FY2024, 2025-09; null = not stated
value | decimal(18,5) | 値
unit | string | 単位: ratio (0-1), hundred_million_yen 億円
definition | string | 定義, as published; null = not stated
note | string | 備考
source | string | 出典
confidence | string | 確度: high, medium and why
"""),
    key=("metric_key", "scope", "ingredient_key", "period"),
)

NDB_CLASS = Table(
    "masters.ndb_class",
    "NDBオープンデータの掲載範囲: one row per fiscal year, route, setting and 薬効分類 of a sheet: what a drug that it does not list can have",
    _columns("""
fiscal_year | int | 年度 of treatment
ndb_round | int | 第 n 回
route | string | injection, oral, topical
setting | string | inpatient, outpatient_in_hospital, outpatient_pharmacy
yakko_class_3 | string | 薬効分類: 3 digits
row_count | int | drugs listed
unlisted_at_most | decimal(24,5) | 掲載されない品目の上限: 0 = the class is listed whole, else the last total listed (its threshold where that is hidden)
source | string | file name
"""),
    key=("fiscal_year", "route", "setting", "yakko_class_3"),
)

DRUG_MASTER_ITEM = Table(
    "masters.drug_master_item",
    "医薬品マスターの行: one row per edition and 9-digit drug code, as published; masters.drug and masters.drug_price are made of it",
    _columns(f"""
edition_key | string | edition_date and in_force_from: what a file replaces (two editions may come on one day, one of them ahead)
edition_date | date | date of the edition, of its file name or given
in_force_from | date | first day of the edition: its date, or its latest 変更年月日 where it was published ahead
is_whole | boolean | 全件: the edition holds all codes in force, so that a code that it lacks is gone
drug_code | string | 医薬品コード: 9 digits
change_class | string | 変更区分: 0 unchanged, 1 抹消, 3 new, 5 changed, 9 abolished
drug_name_ja | string | 漢字名称
unit_ja | string | 単位 漢字名称
price_yen | {MONEY} | 新又は現金額 per claim unit; null where the kind of amount is no price
is_biological | boolean | 生物学的製剤
counts_for_addon | boolean | 後発品 = 1
old_price_yen | {MONEY} | 旧金額 per claim unit; null = none given
changed_on | date | 変更年月日
abolished_on | date | 廃止年月日: last day of use; null = in force
yakka_code_12 | string | 薬価基準収載医薬品コード
transitional_until | date | 経過措置年月日又は商品名医薬品コード使用期限
listed_on | date | 薬価基準収載年月日; null = not given
generic_name_code | string | 一般名コード
file_sha256 | string | SHA-256 of the file
{SOURCE.strip()}
"""),
    key=("edition_key", "drug_code"),
)

PRICE_LIST_ITEM = Table(
    "masters.price_list_item",
    "薬価基準収載品目リスト: one row per 区分, 12-digit code, product and edition, as published, per 規格単位",
    _columns(f"""
list_section | string | 区分: 内用薬, 注射薬, 外用薬, 歯科用薬剤; one file each
yakka_code_12 | string | 薬価基準収載医薬品コード
ingredient_ja | string | 成分名
spec_ja | string | 規格
product_name_ja | string | 品名
maker_ja | string | メーカー名
addon_mark | string | 診療報酬において加算等の算定対象となる後発医薬品: 後発品, ★
originator_mark | string | 先発医薬品: 先発品, 準先発品
has_generic | boolean | 同一剤形・規格の後発医薬品がある先発医薬品 (○)
price_yen | {MONEY} | 薬価, yen per 規格単位 (not per claim unit)
transitional_until | date | 経過措置による使用期限
valid_from | date | first day: date of the edition
valid_to | date | last day: before the next edition of the 区分, or of 経過措置; null = open
{SOURCE.strip()}
"""),
    key=("yakka_code_12", "product_name_ja", "valid_from"),
)

SUPPLY_STATUS = Table(
    "masters.supply_status",
    "医薬品の供給状況: one row per YJ code, product, maker and publication",
    _columns(f"""
yj_code | string | YJコード: 12 places, one per brand; no 9-digit code, and not always the 12-digit code of the price list
product_name_ja | string | 品名
maker_ja | string | 製造販売業者名
product_class_ja | string | 製品区分: 先発品, 後発品 …
status_code | int | 出荷対応: 1 通常出荷, 2 限定出荷 (自社の事情), 3 限定出荷 (他社品の影響), 4 限定出荷 (その他), 5 供給停止; null = not reported
status_ja | string | 出荷対応の状況, as published
reason_ja | string | 限定出荷/供給停止の理由
outlook_ja | string | 解除・解消の見込み
volume_ja | string | 出荷量の状況: A+, A, B, C, D, as published
valid_from | date | first day: date of the publication
valid_to | date | last day: before the next publication; null = latest
{SOURCE.strip()}
"""),
    key=("yj_code", "product_name_ja", "maker_ja", "valid_from"),
)

FACILITY_LIST = Table(
    "masters.facility",
    "医療機関・薬局の名簿: one row per facility and validity, from the facility list",
    _columns(f"""
facility_code | string | 10 digits: prefecture 2 + fee table 1 + number 7
facility_name | string | 名称
prefecture_code | string | 都道府県: 01-47
secondary_area_code | string | 二次医療圏コード: 4 digits
secondary_area_ja | string | 二次医療圏名
municipality_code | string | 市町村コード: 5 digits
owner_ja | string | 設置主体, as the list names it
bed_count | int | 病床数
is_dpc_hospital | boolean | DPC対象病院
valid_from | date | first day
valid_to | date | last day; null = open
{SOURCE.strip()}
"""),
    key=("facility_code", "valid_from"),
)

INSURER = Table(
    "masters.insurer",
    "保険者: one row per insurer of config/insurers",
    _columns("""
insurer_number | string | 保険者番号
insurer_name_ja | string | 名称
insurer_short_ja | string | 略称, for charts
insurer_kind | string | kenpo 健保組合, kyokai 協会けんぽ, kyosai 共済, kokuho_city 市町村国保, kokuho_union 国保組合, koiki 後期高齢者医療広域連合
prefecture_code | string | 所在地の都道府県
member_count | int | 加入者数, as configured; null = not given
start_claim_month | int | first claim month expected, YYYYMM
delivered_kinds | string | kinds of claims expected, comma between
"""),
    key=("insurer_number",),
)

REGION_INSURER = Table(
    "masters.region_insurer",
    "地域の参加保険者: one row per region and insurer taking part, of config/regions",
    _columns("""
region_key | string | key of the region
region_ja | string | 名称
insurer_number | string | 保険者番号
"""),
    key=("region_key", "insurer_number"),
)

MEASURE = Table(
    "masters.measure",
    "指標の登録簿: one row per measure of config/measures",
    _columns("""
measure_key | string | 指標の鍵
name_ja | string | 名称
name_en | string | English name
definition_ja | string | 定義
definition_en | string | English definition
numerator_ja | string | 分子, or what is summed
denominator_ja | string | 分母; null = a sum
unit | string | 単位: ratio (0-1), yen, claim_unit, price_list_unit, count, per_1000_members, point
convention | string | 数え方の鍵, as in the column convention of its model; null = one only
convention_ja | string | 数え方
n_ja | string | n: what stands behind the figure
price_ja | string | 薬価の時点
data_ja | string | データ: what it is counted on
direction | string | 望ましい方向: higher, lower, neutral
limits_ja | string | 限界: what it does not say
source | string | 出典 of the definition
checked_against | string | 照合した資料; null = nothing official to compare with
schemes_ja | string | 関係する制度, 、 between; null = none
status | string | in_use 使用中, planned 準備中
next_review | date | 次の見直し
model_name | string | dbt model that computes it
column_name | string | column of that model
row_filter | string | rows of the model that are this measure; null = all
"""),
    key=("measure_key",),
)

TARGET = Table(
    "masters.target",
    "目標値: one row per target of config/targets",
    _columns("""
target_key | string | 目標の鍵
name_ja | string | 名称
owner_kind | string | 設定者の種類: nation, prefecture, insurer_kind, insurer
owner_key | string | 設定者: all, 01-47, kind of insurer or insurer number
measure_key | string | 指標の鍵
value_ratio | decimal(9,8) | 目標値 0-1
due_date | date | 期限
valid_from | date | 設定日: first day on which it holds
valid_to | date | last day; null = open
source | string | 出典
"""),
    key=("target_key",),
)

HIGH_COST_CAP = Table(
    "masters.high_cost_cap",
    "高額療養費 自己負担限度額: one row per age group, band and validity: monthly caps; what only the insurer's ledger knows (世帯, 年間上限) is not here",
    _columns(f"""
age_group | string | under_70, 70_and_over, long_term (マル長: 特記事項 02, 16), public_payer (公費: 法別 12, other)
band | string | 適用区分 ア–オ as 特記事項 26–30 name them (70歳以上: ア–ウ 現役並みⅢ–Ⅰ, エ 一般, オ 低所得Ⅱ); else 02, 16, 12, other
fixed_yen | {MONEY} | 限度額 (定額部分)
threshold_yen | {MONEY} | 1 % of the cost above it is added; null = flat
repeated_yen | {MONEY} | 多数回該当; null = none
outpatient_yen | {MONEY} | 外来（個人）の限度額 of 70歳以上; null = none
valid_from | date | first day
valid_to | date | last day; null = open
is_provisional | boolean | true: read second-hand, not in the text of the law yet
{SOURCE.strip()}
"""),
    key=("age_group", "band", "valid_from"),
)

SCENARIO = Table(
    "masters.scenario",
    "削減可能額のシナリオ: one row per file of config/scenarios",
    _columns("""
scenario_key | string | key of the scenario
title_ja | string | 名称
title_en | string | English title
scenario_kind | string | target_share, peer_share, new_starts, same_form, full, mean_price
parameter | decimal(9,8) | target_share: share to reach; peer_share: rank among the peers (1 = best, 0.75 = 75th percentile); else null
least_patient_count | int | peer_share: peers with fewer patients are left out
description_ja | string | 説明, printed beside the figure
source | string | 出典
"""),
    key=("scenario_key",),
)

BUILD_RUN = Table(
    "ops.build_run",
    "処理の記録: one row per build that ended well, with what it was built from",
    _columns("""
build_key | string | hash of the inputs: versions of the tables read, code of the models
code_key | string | hash of the code of the models and of the declared versions of the tables that they read
source_versions | string | table → Delta version read, JSON
recorded_at | timestamp | when
detail | string | what was made anew: all, or which insurers and months; models built, tests passed
"""),
    key=("build_key", "recorded_at"),
)

MODEL_RUN = Table(
    "ops.model_run",
    "モデルごとの処理の記録: one row per model or test and build in which it ran",
    _columns("""
build_no | string | build in which it ran: the time of its start, UTC
code_key | string | hash of the code of the models, as in ops.build_run
node_name | string | model or test
node_kind | string | model or test
folder | string | folder of its file, under models or tests
outcome | string | success, pass, warn (tell), fail (stop), error, skipped (what it needs failed)
seconds | double | how long it took
failure_count | bigint | rows against a test; null of a model
recorded_at | timestamp | when
"""),
    key=("build_no", "node_name"),
)

GATE_RESULT = Table(
    "ops.gate_result",
    "公表前の関門の結果: one row per gate, region and measurement; append-only",
    _columns("""
region_key | string | 地域の鍵
marts_key | string | hash of the versions of the marts that were measured
gate_key | string | 関門, as in spark_jobs/rollout/gate.py
outcome | string | passed 合格, told 要確認 (breached, does not stop), stopped 不合格
measured_value | decimal(18,8) | 実測値, in the unit of the gate; null = nothing that could be measured
limit_value | decimal(18,8) | 基準値, of the region or of the gate
found | string | what was found, never a person's data
found_ja | string | 所見, for who approves
action_ja | string | 対応: what to do; null where it passed
recorded_at | timestamp | when
"""),
    key=("region_key", "gate_key", "recorded_at"),
)

PUBLICATION = Table(
    "ops.publication",
    "公表の記録: one row per publication: the versions of the marts that it shows, and what they were built from",
    _columns("""
published_at | timestamp | 公表日時: when
region_key | string | 地域の鍵: region whose gates were asked; null = before gates were measured
event | string | published 公表, rolled_back 前回の公表に戻した; null = published
decided_by | string | 決定者: post or committee, or the user who approved in Airflow; null = not given
reason | string | 理由 of a publication despite its gates, or of a roll-back
insurers | string | 参加保険者: numbers of config/insurers then, comma between; null = before this was kept
left_insurers | string | 離脱した保険者: numbers of the publication before that are not in this one; null = none
mart_versions | string | table → Delta version, JSON
source_versions | string | table → Delta version that the build had read, JSON; null = not known
code_key | string | hash of the code of the models
"""),
    key=("published_at",),
)

PERSON_LINK = Table(
    "silver.person_link",
    "同一加入者の対応 (仮名): one row per person_id1; the same person_id over key versions and over a changed number inside one insurer",
    _columns("""
insurer_number | string | 保険者番号
person_id1 | string | ID1, as it stands on facts
key_version | int | version of the key that made person_id1
person_id | string | the person: ID1 of the first number seen, by the newest key
link_version | int | version of the key that made person_id
is_linked | boolean | more than one person_id1 stands for this person
valid_from_service_month | int | first 診療年月 seen under person_id1, YYYYMM
valid_to_service_month | int | last 診療年月 seen under person_id1, YYYYMM
"""),
    key=("insurer_number", "person_id1"),
    partition_by=("insurer_number",),
)

VAULT = Table(
    "identity.vault",
    "保険者の封印台帳: one row per file (a large one: per part of it) and insurer: what it needs to write to its members, sealed to its public key",
    _columns(f"""
insurer_number | string | 保険者番号: owner, of the claims
{FILE}
lines_before | int | lines of the file before this part
claim_month | int | 請求年月 of the file, YYYYMM
person_count | int | persons in it
sealed | binary | age file; in it a Parquet table person_id1, insured_symbol 記号, insured_number 番号, branch_no 枝番, names, birth date, sex, last claim month
"""),
    key=("insurer_number", "file_sha256", "lines_before"),
    partition_by=("insurer_number",),
)

SCOPE_PERSON = Table(
    "identity.scope_person",
    "共同利用の仮名: one row per file (or part of it) and person of an insurer that takes part in a scope of joint use (共同利用)",
    _columns(f"""
insurer_number | string | 保険者番号
{FILE}
lines_before | int | lines of the file before this part
person_id1 | string | ID1
scope_key | string | joint_use_scope of the insurer's file
scope_id_kana | string | pseudonym of kana name, birth date, sex by the key of the scope; null without kana name
scope_id_kanji | string | pseudonym of name, birth date, sex by the key of the scope; null without name
"""),
    key=("insurer_number", "file_sha256", "lines_before", "person_id1"),
    partition_by=("insurer_number",),
)

SCOPE_LINK = Table(
    "identity.scope_link",
    "共同利用内の同一人: one row per person_id1 of a person who was seen at two or more insurers of one scope",
    _columns("""
scope_key | string | scope of joint use
insurer_number | string | 保険者番号
person_id1 | string | ID1
scope_person_id | string | the person within the scope
"""),
    key=("scope_key", "insurer_number", "person_id1"),
)

ACCESS = Table(
    "ops.access",
    "アクセス記録: one row per use of what concerns persons: who, when, what for; append-only, no names",
    _columns("""
recorded_at | timestamp | when
os_user | string | who: user of the operating system
command | string | keys rotate, reidentify, erase, persons link
insurer_number | string | 保険者番号; null = several
person_count | int | persons concerned
purpose | string | 利用目的, as in the insurer's file
detail | string | what it ended in, never a person's data
"""),
    key=("recorded_at", "os_user", "command"),
)

EXPORT_KEY = Table(
    "ops.export_key",
    "送付先と回答の対応: one row per person of a mailing list: the survey key under which an answer comes back",
    _columns("""
export_id | string | one mailing list
insurer_number | string | 保険者番号
person_id1 | string | ID1
survey_key | string | on the mailing list in place of a pseudonym
"""),
    key=("export_id", "survey_key"),
)

ERASURE = Table(
    "ops.erasure",
    "消去の記録: one row per step of an erasure; its first step is the tombstone that ingest consults",
    _columns("""
erasure_id | string | one request
insurer_number | string | 保険者番号
step | string | tombstone, then what is done of erasure.STEPS
sealed_person | binary | pseudonyms of the persons, sealed to the lake's own key (tombstone); null = the whole insurer, or a later step
person_count | int | persons of the request whom the lake held (of tombstone); null = the whole insurer
detail | string | what the step did, never a pseudonym
recorded_at | timestamp | when
"""),
    key=("erasure_id", "step", "recorded_at"),
)

ROLLOUT_STATE = Table(
    "ops.rollout_state",
    "展開の状態の記録: one row per change of a region's state; append-only, the latest event of a region is its state",
    _columns("""
region_key | string | 地域の鍵, as in config/regions
event_no | int | 1 = joined, counts up within a region
state | string | joined 参加, baseline 基準期間, acting 実施中, evaluating 評価中, paused 中断, withdrawn 離脱
decided_by | string | 決定者: post or committee that decided, never a person's name
reason | string | 理由
os_user | string | user of the operating system who recorded it
recorded_at | timestamp | when
"""),
    key=("region_key", "event_no"),
)

BASELINE = Table(
    "ops.baseline",
    "基準値の凍結記録: one row per frozen baseline of an insurer of a region: its 12 months, the marts that it was read from, the hash of its figures",
    _columns("""
region_key | string | 地域の鍵
insurer_number | string | 保険者番号
sha256 | string | ハッシュ値 of its rows of ops.baseline_figure, as canonical text
first_service_month | int | first 診療年月 of the 12, YYYYMM
last_service_month | int | last 診療年月 of the 12, YYYYMM
figure_count | int | rows of ops.baseline_figure
mart_versions | string | mart → Delta version read, JSON
frozen_by | string | 凍結した者: post or committee, never a person's name
os_user | string | user of the operating system
recorded_at | timestamp | when
"""),
    key=("region_key", "insurer_number", "recorded_at"),
)

BASELINE_FIGURE = Table(
    "ops.baseline_figure",
    "基準値: one row per figure of a frozen baseline: shares and savings of an insurer over the 12 months before its region acts",
    _columns("""
region_key | string | 地域の鍵
insurer_number | string | 保険者番号
sha256 | string | the baseline that it belongs to
mart | string | mart that it was read from
place_level | string | 地域の単位
place_key | string | 地域
geography | string | 地域の決め方
ingredient_key | string | 成分; all = all of them
setting | string | 入院・外来の別
period_kind | string | 期間の種類: rolling_12
period | int | 期間: last 診療年月, YYYYMM
variant | string | その他の区分: other keys of the row, name=value
figure | string | 指標の列 of the mart
value | decimal(38,8) | 値
"""),
    key=("sha256", "mart", "place_level", "place_key", "geography", "ingredient_key", "setting", "variant", "figure"),
)

ACTION = Table(
    "ops.action",
    "施策台帳: one row per action taken, as entered; append-only, a correction is a new row that names the one that it replaces",
    _columns("""
action_id | string | hash of what was entered: the same row twice is one
replaces_action_id | string | 訂正元: the row that this one stands in place of; null = none
is_void | boolean | 取消: the row that it replaces never took place
region_key | string | 地域の鍵
insurer_number | string | 実施保険者; null = the joint office (事務局)
actor_ja | string | 実施者: post or organisation, never a person's name
action_kind | string | 施策の種類
target_kind | string | 対象の種類: facility, person_list, area
target_key | string | 対象: facility code, export_id of a mailing list, or code of a prefecture, 二次医療圏 or municipality
first_date | date | 開始日
last_date | date | 終了日; the first where it took one day
cost_yen | decimal(18,0) | 費用, yen
ingredient_keys | string | 対象成分, comma between; all
detail_ja | string | 内容, in a few words without names or numbers of persons
source | string | file that it came from, or lake action add
os_user | string | user of the operating system who entered it
recorded_at | timestamp | when
"""),
    key=("action_id",),
)

ALL = tuple(value for value in list(globals().values()) if isinstance(value, Table))
BY_NAME = {table.name: table for table in ALL}
LINES_OF_CLAIM = (CLAIM_DRUG, CLAIM_PROCEDURE, CLAIM_DIAGNOSIS, CLAIM_PAYER)
SILVER_OF_FILE = (CLAIM_COPY, *LINES_OF_CLAIM, CLAIM)  # claim last: its rows say that the others are there
