"""データ識別 of the insurer form: in which state of a claim a line stands (receipt-formats §4.2, 別表7 of about 2014)."""

SENT = 1  # 請求データ: the claim as sent by the provider
REVIEWED = 2  # 支払決定データ: correction by the review body
REQUESTED = 3  # 再審査等データ: request of the insurer for a re-review
REREVIEWED = 4  # 再審査等決定データ: its result
RETURNED = 8  # 返戻データ: the claim was returned to the provider
BEFORE_RECLAIM = (11, 12, 13, 14)  # like 1-4, but the state before a re-claim (再請求) of a receipt already billed to the insurer
