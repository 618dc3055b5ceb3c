"""Builds the marts of what came in, with all tests; then asks each region concerned whether its figures may be published.
It starts by itself when `ingest_region__…` has taken a month in; what did not change is not built again.

**If it fails:** the last line of the log names the test or model, how many rows are against it, and what to do; nothing is published
meanwhile, readers see the publication before. Mend the cause and clear the task: it goes on where it stopped. How each model and test of a
build ended stands in `ops.model_run`. Normal: minutes. More: docs/runbooks/failed_publication.md.
"""

from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator
from airflow.sdk import DAG, Asset, FixedKeyMapper, PartitionedAssetTimetable, task
from dag_tags import Tag
from lake_operators import DEFAULTS, LakeBuild, publication_of
from notices import deadline
from regions import regions

CLAIMS = Asset(name="region_claims", uri="lake://claims/region_month")
HOURS = 12

with DAG(
    dag_id="build_marts",
    description="silver → marts, then each region concerned",
    doc_md=__doc__,
    schedule=PartitionedAssetTimetable(assets=CLAIMS, default_partition_mapper=FixedKeyMapper("marts")),
    catchup=False,
    max_active_runs=1,
    deadline=deadline("build_marts", HOURS),
    tags=[Tag.BUILD],
    default_args=DEFAULTS,
):
    build = LakeBuild(task_id="build", arguments=["build"])

    @task
    def concerned(marts: str, *, triggering_asset_events=None) -> list[dict[str, str]]:
        """The publications of the regions whose months came in; started by hand: of all."""
        came = {event.partition_key.split("|")[0] for events in (triggering_asset_events or {}).values() for event in events}
        return [publication_of(region.key, marts) for region in regions() if not came or region.key in came]

    TriggerDagRunOperator.partial(
        task_id="publish", skip_when_already_exists=True, map_index_template="{{ task.trigger_dag_id }}"
    ).expand_kwargs(concerned(build.output))
