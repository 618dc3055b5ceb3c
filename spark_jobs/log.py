"""`$LAKE_HOME/logs/lake.jsonl`: one JSON line per event, for machines and for whoever looks back.

Never a person's data: only fields named here, in plain characters.
"""

import re
from collections.abc import Iterable, Mapping, MutableMapping
from contextlib import suppress
from typing import Any

import structlog

from spark_jobs.settings import Settings

FIELDS = {
    *("event", "time", "command", "state", "seconds", "exit_code", "error", "frames"),
    *("insurer_number", "file_sha256", "claim_form", "claim_kind", "claim_month"),
    *("file_bytes", "receipt_count", "line_count", "quarantine_count"),
    *("table", "files_before", "files_after", "bytes_freed"),
}
SHA256_SHOWN = 12
PLAIN = re.compile(r"[A-Za-z0-9_.:,+/ -]*")  # no name, no text of a receipt, no path of its owner


def write(settings: Settings, events: Iterable[Mapping[str, Any]]) -> None:
    """Append events, each a dict with `event`; a full disk stops the work elsewhere, never here."""
    path = settings.home_path / "logs" / "lake.jsonl"
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a", encoding="utf-8") as file:
            logger = structlog.wrap_logger(
                structlog.WriteLogger(file),
                processors=[safe, structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"), structlog.processors.JSONRenderer()],
            )
            for event in events:
                logger.info(**event)


def safe(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> dict[str, Any]:
    """Refuse a field that is not named here and a text that could name somebody; what is empty is left out, a hash is shortened."""
    kept: dict[str, Any] = {}
    for name, value in event.items():
        if value is None or value == "":
            continue
        if name not in FIELDS or not (isinstance(value, int | float) or (isinstance(value, str) and PLAIN.fullmatch(value))):
            raise ValueError(f"log: {name} is no field of spark_jobs/log.py, or holds more than plain characters")
        kept[name] = str(value)[:SHA256_SHOWN] if name == "file_sha256" else value
    return kept
