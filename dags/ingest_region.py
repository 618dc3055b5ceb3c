"""Takes what the insurers of a region have delivered into the lake: each insurer by itself, so that none waits for another.
Start it when deliveries have arrived, as often as you like: what is already in is skipped, and without anything new nothing follows.

**If it fails:** open the log of the red task; its last line says where, what was found, what was expected, what to do. Mend that, clear
the task, and the rest follows; every step may be repeated. A task waiting for its retry met a lake in use or a crash and needs nobody
yet. *files rejected* on a delivery: the sender must mend them (`lake status`), the others went on. Normal: minutes for a month of a
region. Marts follow by themselves (`build_marts`). More: docs/runbooks/airflow.md.
"""

from airflow.sdk import DAG, Asset, PartitionedAtRuntime, task_group
from dag_tags import Tag
from lake_operators import DEFAULTS, LakeDeliver, LakeIngest
from notices import deadline
from regions import Region, regions

TIMETABLE = PartitionedAtRuntime()  # no clock: started when deliveries have arrived
HOURS = 6
CLAIMS = Asset(name="region_claims", uri="lake://claims/region_month")  # one partition per region and 請求年月: demo|202609


def ingest_region(region: Region) -> DAG:
    """The DAG of one file of config/regions."""
    dag_id = f"ingest_region__{region.key}"
    with DAG(
        dag_id=dag_id,
        dag_display_name=f"ingest_region {region.name_ja}",
        description="deliveries → bronze → silver",
        doc_md=__doc__,
        schedule=TIMETABLE,
        catchup=False,
        max_active_runs=1,
        deadline=deadline(dag_id, HOURS),
        tags=[Tag.INGEST, Tag.REGION],
        default_args=DEFAULTS,
    ) as dag:

        @task_group
        def take_in(insurer: str):
            deliver = LakeDeliver(task_id="deliver", insurer=insurer, map_index_template=LakeDeliver.LABEL)
            ingest = LakeIngest(task_id="ingest", insurer=insurer, region=region.key, outlets=[CLAIMS])
            deliver >> ingest

        take_in.expand(insurer=region.insurers)
    return dag


for described in regions():
    dag = ingest_region(described)
    globals()[dag.dag_id] = dag
