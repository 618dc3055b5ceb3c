"""docs/questions.md: ten questions of an insurer's analyst, each with its SQL on the published marts and the answer that it gives.

python -m spark_jobs.questions [PATH] [--insurer NUMBER]     # asks the serving store as that insurer and writes the page

The SQL stands in docs/questions/*.sql: the comment on top is the question (first line) and how to read the answer.
"""

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from itertools import takewhile
from pathlib import Path
from typing import Any

import psycopg

from spark_jobs import config
from spark_jobs.build import PROJECT
from spark_jobs.publish.postgres import DATABASE, HOST, running
from spark_jobs.settings import Settings

FOLDER = PROJECT.parent / "docs" / "questions"
PAGE = FOLDER.with_suffix(".md")
ASKER = "06139901"  # the largest insurer of the demo


@dataclass(frozen=True)
class Question:
    """One file of docs/questions."""

    key: str
    question: str
    reading: str
    sql: str


@dataclass(frozen=True)
class Answer:
    header: list[str]
    rows: list[tuple[Any, ...]]


def questions() -> list[Question]:
    """In the order of their files."""
    return [_question(file) for file in sorted(FOLDER.glob("*.sql"))]


def answers(settings: Settings, insurer: str = ASKER) -> dict[str, Answer]:
    """Key of each question → what the serving store answers to the login of that insurer."""
    with running(settings) as cluster:
        role = f"insurer_{insurer}"
        with psycopg.connect(host=HOST, port=cluster.port, dbname=DATABASE, user=role, password=cluster.password(role)) as connection:
            return {question.key: _ask(connection, question) for question in questions()}


def page(found: dict[str, Answer], asker: str) -> str:
    """The whole page."""
    return "\n".join([*_head(asker), *(line for question in questions() for line in _part(question, found[question.key]))])


def _question(file: Path) -> Question:
    lines = file.read_text(encoding="utf-8").splitlines()
    said = list(takewhile(lambda line: line.startswith("--"), lines))
    question, *reading = (line.removeprefix("-- ") for line in said)
    return Question(file.stem, question, "".join(reading), "\n".join(lines[len(said) :]))


def _ask(connection: psycopg.Connection, question: Question) -> Answer:
    cursor = connection.execute(question.sql.encode())
    return Answer([column.name for column in cursor.description or []], cursor.fetchall())


def _head(asker: str) -> list[str]:
    return [
        "# 分析者のための十問\n",
        "保険者の分析者が尋ねることと、PostgreSQL（`lake serve`）の集計表での答え方。SQL は [questions/](questions) にあり、",
        f"答えはデモのデータ（架空）に{asker}のログインで尋ねたもの。自分のログインで流せば、自分の値が返る：保険者の行は自分のものだけが見える。",
        "このページは `python -m spark_jobs.questions` が書く。SQL は小さな湖で毎回試され、",
        "別の計算と比べられる（`tests/oracles/test_questions.py`）。",
        "用語は [glossary.md](glossary.md)、列は [data_dictionary.md](data_dictionary.md)、秘匿は [privacy.md](privacy.md#small-cells)。\n",
    ]


def _part(question: Question, answer: Answer) -> Iterator[str]:
    number = int(question.key.split("_")[0])
    yield f"## {number}. {question.question}\n"
    yield f"{question.reading}\n"
    yield f"| {' | '.join(answer.header)} |"
    yield f"|{'---|' * len(answer.header)}"
    yield from (f"| {' | '.join(map(_text, row))} |" for row in answer.rows)
    yield f"\n<details><summary>SQL（questions/{question.key}.sql）</summary>\n"
    yield f"```sql\n{question.sql}\n```\n\n</details>\n"


def _text(value: Any) -> str:
    if isinstance(value, int | Decimal) and not -10_000 < value < 10_000:  # 年度 stays as it is
        return f"{value:,}"
    return "—" if value is None else str(value)


def main() -> None:
    parser = argparse.ArgumentParser(description="Ask the serving store the questions of docs/questions and write the page.")
    parser.add_argument("path", type=Path, nargs="?", default=PAGE)
    parser.add_argument("--insurer", default=ASKER, help="insurer whose login asks")
    chosen, settings = parser.parse_args(), Settings()
    text = page(answers(settings, chosen.insurer), config.insurer(settings, chosen.insurer).short_name_ja)
    chosen.path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
