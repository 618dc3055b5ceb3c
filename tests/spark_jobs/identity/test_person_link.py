"""A person keeps one person_id over keys and numbers of one insurer; two people never become one."""

import random

import polars as pl
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from spark_jobs.identity import person_link
from spark_jobs.identity.pseudonym import pseudonym

KEYS = bytes(range(32)), bytes(range(32, 64)), bytes(range(64, 96))
OTHER = (b"o" * 32,)
CHAINS = {"A": KEYS[:1], "B": OTHER}
COLUMNS = {
    "insurer_number": pl.String, "person_id1": pl.String, "person_id2_kana": pl.String, "person_id2_kanji": pl.String, "sex": pl.String,
    "birth_month": pl.Int32, "first_service_month": pl.Int32, "last_service_month": pl.Int32, "key_version": pl.Int32,
}  # fmt: skip


def person(
    number: str, first: int, last: int, kana: str | None = "k", kanji: str | None = "n", sex: str | None = "1",
    born: int | None = 198001, insurer: str = "A", version: int = 1,
) -> tuple:  # fmt: skip
    chain = OTHER if insurer == "B" else KEYS[:version]

    def made(*parts: str | None) -> str | None:
        return pseudonym(chain, *map(str, parts)) if parts[0] else None

    return insurer, made(number, born, sex), made(kana, born, sex), made(kanji, born, sex), sex, born, first, last, version


def persons_of(*rows: tuple, chains: person_link.Chains = CHAINS) -> list[str]:
    """person_id of each row, in order."""
    found = person_link.links(pl.DataFrame(rows, COLUMNS, orient="row"), chains)
    by_id1 = {(row["insurer_number"], row["person_id1"]): row["person_id"] for row in found.to_dicts()}
    assert len(by_id1) == len(set(rows))
    return [by_id1[row[0], row[1]] for row in rows]


def test_a_changed_number_is_one_person_whose_id_is_that_of_the_first_number() -> None:
    old, new = person("zz", 202401, 202406), person("aa", 202407, 202412)
    assert persons_of(new, old) == [old[1], old[1]]


def test_either_name_links_and_a_chain_of_them_too() -> None:
    rows = person("1", 202401, 202402, "k", None), person("2", 202403, 202404, "k", "n"), person("3", 202405, 202406, None, "n")
    assert len(set(persons_of(*rows))) == 1


def test_two_numbers_in_one_service_month_are_two_people() -> None:
    assert len(set(persons_of(person("1", 202401, 202406), person("2", 202406, 202412)))) == 2


def test_where_it_is_unknown_who_changed_nobody_is_linked() -> None:
    assert len(set(persons_of(person("1", 202401, 202406), person("2", 202403, 202404), person("3", 202407, 202412)))) == 3


def test_no_name_no_link() -> None:
    assert len(set(persons_of(person("1", 202401, 202402, None, None), person("2", 202403, 202404, None, None)))) == 2
    assert len(set(persons_of(person("1", 202401, 202402, sex=None), person("2", 202403, 202404, sex=None)))) == 2


def test_nothing_is_linked_between_insurers_even_by_equal_pseudonyms() -> None:
    here = person("1", 202401, 202402)
    there = ("B", "f" * 64, *here[2:])
    assert len(set(persons_of(here, there, (*here[:1], "e" * 64, *here[2:6], 202403, 202404, 1)))) == 2


def test_a_rotated_key_links_old_pseudonyms_to_new_ones_even_in_the_same_month() -> None:
    rows = [
        person("1", 202401, 202406, version=1),
        person("1", 202405, 202412, version=2),
        person("2", 202401, 202412, "x", "y", version=1),
    ]
    before = persons_of(rows[0], rows[2])
    found = persons_of(*rows, chains={"A": KEYS[:2]})
    assert found[0] == found[1] == rows[1][1] != found[2]
    assert before == [rows[0][1], rows[2][1]]


def test_a_changed_number_is_found_over_a_rotation() -> None:
    rows = person("1", 202401, 202406, version=1), person("2", 202407, 202412, version=3)
    assert len(set(persons_of(*rows, chains={"A": KEYS}))) == 1


def test_an_insurer_without_keys_keeps_its_pseudonyms() -> None:
    rows = person("1", 202401, 202406, insurer="X"), person("2", 202401, 202406, insurer="X")
    assert persons_of(*rows, chains={}) == [rows[0][1], rows[1][1]]


def month(text: int) -> int:
    return 202401 + text % 12 + text // 12 * 100


PERSON = st.builds(
    lambda number, start, length, kana, kanji, sex, born, insurer, version: person(
        number, month(start), month(start + length), kana, kanji, sex, born, insurer, 1 if insurer == "B" else version
    ),
    st.sampled_from("1234567"), st.integers(0, 20), st.integers(0, 6), st.sampled_from(["k", "l", None]), st.sampled_from(["n", "m", None]),
    st.sampled_from(["1", "2"]), st.sampled_from([198001, 198002]), st.sampled_from("AB"), st.integers(1, 3),
)  # fmt: skip


@hypothesis_settings(max_examples=300, deadline=None)
@given(st.lists(PERSON, max_size=14, unique_by=lambda row: row[:2]), st.randoms(use_true_random=False))
def test_links_do_not_depend_on_order_and_never_cross_birth_sex_insurer_or_months(rows: list[tuple], shuffle: random.Random) -> None:
    chains = {"A": KEYS, "B": OTHER}
    found = person_link.links(pl.DataFrame(rows, COLUMNS, orient="row"), chains)
    other = rows.copy()
    shuffle.shuffle(other)
    assert person_link.links(pl.DataFrame(other, COLUMNS, orient="row"), chains).equals(found)

    by_id1 = {row[:2]: row for row in rows}
    groups: dict[tuple[str, str], list[tuple]] = {}
    for link in found.to_dicts():
        row = by_id1[link["insurer_number"], link["person_id1"]]
        groups.setdefault((row[0], link["person_id"]), []).append(row)
    assert sum(map(len, groups.values())) == len(rows)
    for members in groups.values():
        assert len({(row[0], row[4], row[5]) for row in members}) == 1
        numbers: dict[str, list[int]] = {}
        for row in members:
            seen = numbers.setdefault(person_link.advance(row[1], row[8], chains[row[0]]), [])
            seen += range(row[6], row[7] + 1)
        months = [m for seen in numbers.values() for m in set(seen)]
        assert len(months) == len(set(months)), "two numbers of one person in one month"
