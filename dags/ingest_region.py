"""Takes what the insurers of a region have delivered through the lake: delivery, ingest, marts, serving store and report.
Start it when deliveries have arrived, as often as you like: what is already in is skipped.

**If it fails:** open the log of the red task; its last line says where, what was found, what was expected, what to do. Mend that, clear
the task, and the rest follows; every step may be repeated. A task waiting for its retry met a lake in use or a crash and needs nobody
yet. *files rejected* on a delivery: the sender must mend them (`lake status`), the others went on. Normal: minutes for a month of a
region. More: docs/runbooks/airflow.md.
"""

import os
from datetime import timedelta
from pathlib import Path

import yaml
from airflow.sdk import DAG, Asset, PartitionedAtRuntime, task
from dag_tags import Tag
from lake_operators import ROOT, LakeCommand, LakeDeliver

REGIONS = ROOT / os.environ.get("LAKE_CONFIG", "config") / "regions"
TIMETABLE = PartitionedAtRuntime()  # no clock: started when deliveries have arrived
MARTS = Asset(name="region_marts", uri="lake://marts/region")  # one partition per region


def ingest_region(file: Path) -> DAG:
    """The DAG of one file of config/regions."""
    region = yaml.safe_load(file.read_text(encoding="utf-8"))
    key = region["region_key"]
    with DAG(
        dag_id=f"ingest_region__{key}",
        dag_display_name=f"ingest_region {region['name_ja']}",
        description="deliveries → bronze → silver → marts → serving store and report",
        doc_md=__doc__,
        schedule=TIMETABLE,
        catchup=False,
        max_active_runs=1,
        max_active_tasks=1,  # an embedded lake is held by one process at a time
        tags=[Tag.INGEST, Tag.REGION],
        default_args={"owner": "joint_office", "retries": 3, "retry_delay": timedelta(minutes=5)},
    ) as dag:
        deliver = LakeDeliver.partial(task_id="deliver", map_index_template=LakeDeliver.LABEL).expand(insurer=region["insurers"])
        ingest = LakeCommand(task_id="ingest", arguments=["ingest"], trigger_rule="none_failed_min_one_success")
        build = LakeCommand(task_id="build", arguments=["build"])
        publish = LakeCommand(task_id="publish", arguments=["publish", "--region", key])

        @task(outlets=[MARTS])
        def announce(partition: str, *, outlet_events=None):
            """Tell the DAGs that read marts which region is new."""
            outlet_events[MARTS].add_partitions(partition)

        deliver >> ingest >> build >> publish >> announce(key)
    return dag


for region_file in sorted(REGIONS.glob("*.yaml")):
    dag = ingest_region(region_file)
    globals()[dag.dag_id] = dag
