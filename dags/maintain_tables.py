"""Folds small files, removes what no version needs and shortens the log; contents stay, published versions too.
Monthly, at night.

**If it fails:** the last line says what to do; nothing is lost, clear the task. Normal: minutes. More: docs/runbooks/care_of_tables.md.
"""

from datetime import datetime

from airflow.sdk import DAG, CronTriggerTimetable
from dag_tags import Tag
from lake_operators import DEFAULTS, LakeCommand
from notices import deadline

TIMETABLE = CronTriggerTimetable("0 3 2 * *", timezone="Asia/Tokyo")
HOURS = 12

with DAG(
    dag_id="maintain_tables",
    description="OPTIMIZE, VACUUM, checkpoints",
    doc_md=__doc__,
    schedule=TIMETABLE,
    start_date=datetime(2026, 1, 1),
    catchup=False,
    max_active_runs=1,
    deadline=deadline("maintain_tables", HOURS),
    tags=[Tag.CARE],
    default_args=DEFAULTS,
):
    LakeCommand(task_id="maintain", arguments=["maintain"])
