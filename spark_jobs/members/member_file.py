"""The member file (加入者ファイル) of an insurer: its contract. Names are allowed in it and never read further than this."""

from spark_jobs import input_file
from spark_jobs.contract import Contract, Field, matching

SEX = {"1": "1", "2": "2", "男": "1", "女": "2"}
BENEFICIARY = {"本人": "本人", "家族": "家族", "被保険者": "本人", "被扶養者": "家族"}
INCOME_CLASSES = (
    "ア", "イ", "ウ", "エ", "オ", "現役並みⅠ", "現役並みⅡ", "現役並みⅢ", "一般", "一般Ⅰ", "一般Ⅱ", "低所得Ⅰ", "低所得Ⅱ",
)  # fmt: skip
_INCOME = {input_file.plain(name): name for name in INCOME_CLASSES}
PREFECTURE = r"(?:0[1-9]|[1-3]\d|4[0-7])"
DAY = "a date: 19850401, 1985-04-01, S60.4.1 or 3600401"


def _dropped(_: str) -> str:
    return ""


CONTRACT = Contract(
    "Member file (加入者ファイル)",
    (
        Field("insured_symbol", "記号", "string", str, "見本１", "as on the receipts; empty where the insurer has none", is_required=False),
        Field("insured_number", "番号", "string", str, "1001", "as on the receipts"),
        Field("branch_no", "枝番", "string", matching(r"\d{2}"), "01", "2 digits; tells twins apart", is_required=False),
        Field("name_kana", "氏名カナ", "string", _dropped, "", "may stand here; is not read", is_required=False),
        Field("name", "氏名", "string", _dropped, "", "may stand here; is not read", is_required=False),
        Field("birth_date", "生年月日", "date", input_file.day, "1985-04-01", DAY),
        Field("sex", "性別", "string", SEX.get, "1", "1 or 男, 2 or 女"),
        Field("beneficiary_class", "本人家族区分", "string", BENEFICIARY.get, "本人", "本人 or 家族"),
        Field("acquired_on", "資格取得日", "date", input_file.day, "2020-04-01", f"first day of eligibility, {DAY}"),
        Field("lost_on", "資格喪失日", "date", input_file.day, "", "first day without eligibility; empty = still", is_required=False),
        Field("employer_symbol", "事業所記号", "string", str, "", "the workplace, where 記号 is not it", is_required=False),
        Field("industry", "業種", "string", str, "製造業", "one of at most 100 names in a file", is_required=False),
        Field("residence_municipality", "居住地市町村コード", "string", matching(PREFECTURE + r"\d{3}"), "13101",
              "5 digits, no check digit", is_required=False),
        Field("income_class", "所得区分", "string", lambda text: _INCOME.get(input_file.plain(text)), "ウ",
              ", ".join(INCOME_CLASSES), is_required=False),
    ),
    is_personal=True,
)  # fmt: skip
