"""Views of one person give the same row in any order and however they are put together."""

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from spark_jobs.silver import person

SCHEMA = dict.fromkeys([*person.KEY, *person.LATEST, *person.IF_GIVEN], pl.String) | {"birth_month": pl.Int32, "key_version": pl.Int32}
CLAIM = SCHEMA | {"service_month": pl.Int32, "event": pl.String}
maybe = lambda values: st.one_of(st.none(), st.sampled_from(values))  # noqa: E731
claims = st.fixed_dictionaries({
    "insurer_number": st.just("06139901"), "person_id1": st.sampled_from(["a", "b"]), "workplace_id": maybe(["x", "y"]),
    "sex": maybe(["1", "2"]), "birth_month": maybe([198004, 198005]), "beneficiary_class": maybe(["本人", "家族"]),
    "key_version": st.sampled_from([1, 2]), "person_id2_kana": maybe(["k", "l", "m"]), "person_id2_kanji": maybe(["n", "o"]),
    "service_month": maybe([202504, 202505, 202506]), "event": st.just("claim"),
})  # fmt: skip


def views(rows: list[dict]) -> pl.DataFrame:
    return person.views(pl.DataFrame(rows, schema=CLAIM))


@given(st.lists(st.lists(claims, max_size=3), min_size=1, max_size=4), st.randoms())
def test_the_order_of_arrival_changes_nothing(deliveries, random):
    whole = views([claim for delivery in deliveries for claim in delivery])
    random.shuffle(deliveries)
    known = views([])
    for delivery in deliveries:
        known = person.merge(pl.concat([known, views(delivery)]))
    assert known.sort(person.KEY).equals(whole.sort(person.KEY))


def test_a_name_that_later_claims_lack_is_kept_from_the_latest_that_has_one():
    rows = [
        dict.fromkeys(CLAIM) | {"insurer_number": "1", "person_id1": "a", "event": "claim", "service_month": month, "person_id2_kana": kana}
        for month, kana in ((202506, None), (202504, "married"), (202503, "zz before"))
    ]
    first, second = views(rows[::2]), views(rows[1:2])
    assert person.merge(pl.concat([first, second]))["person_id2_kana"].to_list() == ["married"]
