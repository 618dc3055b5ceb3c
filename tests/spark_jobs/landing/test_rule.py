from pathlib import Path

from spark_jobs.bronze.finding import WRITTEN_RULES
from spark_jobs.landing.finding import DELIVERY_RULES, LOST_RULES
from spark_jobs.landing.rule import RULES
from spark_jobs.silver.claim_review import RULES as REVIEW_RULES
from spark_jobs.silver.finding import RULES as SILVER_RULES

PAGE = Path(__file__).parents[3] / "docs" / "data_quality.md"


def test_the_page_for_readers_lists_the_rules_of_the_code() -> None:
    rows = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("| `")]
    assert rows == [f"| `{name}` | {r.severity} | {r.meaning} | {r.expected} | {r.action} |" for name, r in RULES.items()]


def test_each_rule_is_written_by_one_room() -> None:
    assert sorted((*DELIVERY_RULES, *LOST_RULES, *WRITTEN_RULES, *SILVER_RULES, *REVIEW_RULES)) == sorted(RULES)
