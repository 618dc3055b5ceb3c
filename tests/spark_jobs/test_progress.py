import io

from rich.console import Console

from spark_jobs import progress


def test_where_nobody_watches_a_line_comes_at_most_every_ten_seconds(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(progress.time, "perf_counter", lambda: now[0])
    out = io.StringIO()
    with progress.files(400_000_000, Console(file=out, width=200)) as advance:
        for _ in range(40):
            now[0] += 1
            advance(10_000_000, 500)
    lines = out.getvalue().splitlines()
    assert lines[0] == "  100 of 400 MB, 10.0 MB/s, 500 receipts/s, 0 min 30 s left"
    assert len(lines) == 4


def test_on_a_terminal_a_bar_shows_rate_and_time_left():
    out = io.StringIO()
    with progress.files(4_000_000, Console(file=out, width=200, force_terminal=True)) as advance:
        advance(4_000_000, 10)
    assert "receipts/s" in out.getvalue() and "4.0/4.0 MB" in out.getvalue()
