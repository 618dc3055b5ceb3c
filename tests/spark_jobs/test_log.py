import json

import pytest

from spark_jobs import log
from spark_jobs.settings import Settings


def test_an_event_is_one_json_line_with_its_time(tmp_path):
    settings = Settings(home=tmp_path)
    log.write(settings, [{"event": "delivery", "state": "silver", "file_sha256": "ab" * 32, "line_count": 14, "receipt_count": None}])
    log.write(settings, [{"event": "end", "command": "ingest", "seconds": 1.5}])
    first, second = (json.loads(line) for line in (tmp_path / "logs" / "lake.jsonl").read_text(encoding="utf-8").splitlines())
    assert first.pop("time").endswith("Z") and second.pop("time")
    assert first == {"event": "delivery", "state": "silver", "file_sha256": "abababababab", "line_count": 14}
    assert second == {"event": "end", "command": "ingest", "seconds": 1.5}


@pytest.mark.parametrize("fields", [{"line": "1"}, {"command": "見本　花子"}, {"state": ["x"]}], ids=["unknown", "a name", "no scalar"])
def test_what_could_name_somebody_is_refused(tmp_path, fields):
    with pytest.raises(ValueError) as refused:
        log.write(Settings(home=tmp_path), [{"event": "x"} | fields])
    assert "見本" not in str(refused.value)


def test_a_log_that_can_not_be_written_stops_nothing(tmp_path):
    (tmp_path / "logs").write_text("a file")
    log.write(Settings(home=tmp_path), [{"event": "x"}])
