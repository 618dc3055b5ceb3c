"""The search of the privacy tests finds what it is told to find, wherever and however it is written."""

import gzip
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from search import Words, search

WORDS = Words(["見本　花子", "ミホンハナコ", "３１４１５９", "M-0001"])


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "cp932"])
@pytest.mark.parametrize("word", ["見本　花子", "見本花子", "ミホンハナコ", "３１４１５９", "314159", "M-0001"])
def test_found_in_every_encoding(tmp_path: Path, word: str, encoding: str):
    (tmp_path / "a.log").write_bytes(f"x,{word},y".encode(encoding))
    assert word in search(tmp_path, WORDS)["a.log"]


def test_found_inside_tables_and_compressed_files(tmp_path: Path):
    table = pa.table({"a": [{"b": ["見本　花子"]}], "c": pa.array(["ミホンハナコ"]).dictionary_encode(), "d": [b"M-0001"]})
    pq.write_table(table, tmp_path / "t.parquet", compression="zstd")
    with pa.output_stream(tmp_path / "e.zstd", compression="zstd") as stream:
        stream.write(b'{"name":"\\u898b\\u672c\\u3000\\u82b1\\u5b50"}')
    (tmp_path / "g.gz").write_bytes(gzip.compress("見本 花子".encode()))
    found = search(tmp_path, WORDS)
    assert found == {"t.parquet": {"見本　花子", "ミホンハナコ", "M-0001"}, "e.zstd": {"見本　花子"}, "g.gz": {"見本 花子"}}


def test_a_number_inside_a_longer_one_is_not_it(tmp_path: Path):
    (tmp_path / "a.txt").write_text("ab314159cd 3141592 XM-0001")
    assert search(tmp_path, WORDS) == {}


def test_a_measurement_of_spark_is_no_number_of_a_person(tmp_path: Path):
    folder = tmp_path / "eventlog_v2_local-1"
    folder.mkdir()
    (folder / "events_1_local-1").write_text('{"Accumulables":[{"Value":"314159"},{"Update":314159}]}\n')
    assert search(tmp_path, WORDS) == {}


@pytest.mark.parametrize(
    "event", ['{"plan":"Filter (number = 314159)"}', '{"plan":"314159"}', '{"Value":"number 314159"}', '{"314159":1}', '{"Value":"314159']
)
def test_a_number_in_any_other_place_of_the_event_log_is_found(tmp_path: Path, event: str):
    (tmp_path / "events_1_local-1").write_text('{"Value":"314159"}\n' + event)
    assert search(tmp_path, WORDS) == {"events_1_local-1": {"314159"}}
