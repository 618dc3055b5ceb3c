"""Makes a region's figures of past months anew, as a reviewed file of `config/backfills` orders it. The result waits beside the old
figures until its publication is approved. Start it by hand with the file's name.

**If it fails:** *no file config/backfills/…*: merge it first. A red test or model: as in `build_marts`. Mend the cause and clear the task;
it begins anew. Normal: minutes. More: docs/runbooks/backfill.md.
"""

from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator
from airflow.sdk import DAG, Param, task
from dag_tags import Tag
from lake_operators import DEFAULTS, LakeBuild, publication_of
from notices import deadline
from regions import region_of_backfill

HOURS = 12

with DAG(
    dag_id="backfill",
    description="past months of a region anew, then its publication",
    doc_md=__doc__,
    schedule=None,
    catchup=False,
    max_active_runs=1,
    deadline=deadline("backfill", HOURS),
    tags=[Tag.BUILD],
    default_args=DEFAULTS,
    params={"backfill": Param(type="string", minLength=1, description="config/backfills/<this>.yaml")},
):
    build = LakeBuild(task_id="build", arguments=["build", "--backfill", "{{ params.backfill }}"])

    @task
    def concerned(marts: str, *, params=None) -> list[dict[str, str]]:
        return [publication_of(region_of_backfill(params["backfill"]), marts)]

    TriggerDagRunOperator.partial(task_id="publish", skip_when_already_exists=True).expand_kwargs(concerned(build.output))
