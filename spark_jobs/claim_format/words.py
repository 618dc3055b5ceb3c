"""What codes of the receipts mean, in the words of the field, for people to read. Source: receipt-formats.md §4.2, §4.5, §5."""

from spark_jobs.claim_format import data_id

KIND_JA = {"med": "医科", "dpc": "DPC", "den": "歯科", "pha": "調剤", "nur": "訪問看護"}
FORM_JA = {"insurer": "保険者向け", "claim": "請求用"}
DATA_ID_JA = {  # データ識別
    data_id.SENT: "請求",
    data_id.REVIEWED: "審査",
    data_id.REQUESTED: "再審査の申し出",
    data_id.REREVIEWED: "再審査の結果",
    data_id.RETURNED: "返戻",
    **{number: f"再請求前の{word}" for number, word in zip(data_id.BEFORE_RECLAIM, ("請求", "審査", "申し出", "結果"), strict=True)},
}
SEX_JA = {"1": "男", "2": "女"}
PAYER_JA = {  # 法別番号 of an insurer; none: 国保
    "01": "協会けんぽ",
    "02": "船員保険",
    **dict.fromkeys(("03", "04"), "日雇"),
    "06": "健保組合",
    "07": "自衛官等",
    **dict.fromkeys(("31", "32", "33", "34"), "共済"),
    "39": "後期高齢者医療",
    **dict.fromkeys(("63", "72", "73", "74", "75"), "特例退職"),
    "67": "退職国保",
    "": "国保",
}
REASON_JA = {  # 事由コード of JY; B and C mean other things to the two review bodies (審査支払機関 1 支払基金, 2 国保連)
    "1": {"A": "適応と認められない", "B": "過剰・重複", "C": "A・B 以外の医学的理由", "D": "算定要件に合わない"},
    "2": {"A": "不適応", "B": "過剰", "C": "重複", "D": "不適当・不必要"},
}
REASON_OF_BOTH_JA = {"F": "固定点数誤り", "G": "請求点数誤り", "H": "縦計計算誤り", "K": "その他"}


def payer(number: str) -> str:
    """保険者番号 → what kind of insurer that is; empty if its 法別番号 is not known."""
    digits = number.strip()
    return PAYER_JA.get("" if len(digits) == 6 else digits[:2], "")


def reasons(codes: str, review_body: str) -> str:
    """事由コード, separated by colons, with their meaning."""
    words = REASON_JA.get(review_body, {}) | REASON_OF_BOTH_JA
    return "、".join(f"{code} {words[code]}" if code in words else code for code in codes.split(":") if code)
