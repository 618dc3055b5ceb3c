"""Loads official lists as downloaded: what lies under `$LAKE_LISTS/<kind>/`. Monthly; a list that is loaded already changes nothing.
Put the files there first (docs/sources.md says where they come from); a kind without a folder is skipped.

**If it fails:** the last line names file, what was found and expected; put the right file there and clear the task. Codes that are
unknown afterwards stand in `marts.fct_unknown_code` after the next build. Normal: a minute. More: docs/input_contracts.md.
"""

import os
from datetime import datetime

from airflow.sdk import DAG, CronTriggerTimetable
from dag_tags import Tag
from lake_operators import DEFAULTS, POOL, LakeLists
from notices import deadline

TIMETABLE = CronTriggerTimetable("0 4 1 * *", timezone="Asia/Tokyo")
KINDS = ["drug-master", "price-list", "generic-list", "supply-status", "facilities", "ndb-open-data"]
HOURS = 6

with DAG(
    dag_id="refresh_masters",
    description="official lists → masters",
    doc_md=__doc__,
    schedule=TIMETABLE,
    start_date=datetime(2026, 1, 1),
    catchup=False,
    max_active_runs=1,
    deadline=deadline("refresh_masters", HOURS),
    tags=[Tag.CARE],
    default_args=DEFAULTS,
):
    LakeLists.partial(
        task_id="load", map_index_template="{{ task.kind }}", folder=os.environ.get("LAKE_LISTS", "lists"), pool=POOL
    ).expand(kind=KINDS)  # fmt: skip
