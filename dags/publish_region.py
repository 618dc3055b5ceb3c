"""Publishes the figures of a region: gates → preview beside the last publication → approval → switch-over → notice.
Readers see the old publication or the new one, whole; a rejection or a gate that stops leaves them the old one.

**If it fails:** *gates*: the log has a table of what stops and what to do; mend it (a delivery, a list), wait for `build_marts`, clear the
task. If it is right to publish all the same: `lake publish --despite REASON` by hand, which is kept. *gates* skipped: what came in since is
not built yet; nobody is needed, the build asks again. *approve*: nobody answered in time;
clear it to ask again. *publish*, *built since the preview*: clear *preview* and all after it, it is asked again. Normal: minutes, and the
time that people take. More: docs/runbooks/failed_publication.md.
"""

from datetime import timedelta

from airflow.providers.standard.operators.hitl import ApprovalOperator
from airflow.sdk import DAG, task
from dag_tags import Tag
from lake_operators import DEFAULTS, LakeCommand, LakeGates, LakePreview
from notices import deadline, tell
from regions import Region, regions

DAYS = 14  # for an answer
APPROVER = "{{ ti.xcom_pull(task_ids='approve')['responded_by_user']['name'] }}"
PREVIEWED = "{{ ti.xcom_pull(task_ids='preview')['%s'] }}"


def publish_region(region: Region) -> DAG:
    """The DAG of one file of config/regions."""
    dag_id = f"publish_region__{region.key}"
    with DAG(
        dag_id=dag_id,
        dag_display_name=f"publish_region {region.name_ja}",
        description="gates → preview → approval → PostgreSQL and report",
        doc_md=__doc__,
        schedule=None,  # build_marts starts it
        catchup=False,
        max_active_runs=1,
        deadline=deadline(dag_id, DAYS * 24),
        tags=[Tag.PUBLISH, Tag.REGION],
        default_args=DEFAULTS,
    ) as dag:
        gates = LakeGates(task_id="gates", region=region.key)
        preview = LakePreview(task_id="preview", region=region.key)
        approve = ApprovalOperator(
            task_id="approve",
            subject=f"{region.name_ja}: 公表の承認",
            body=PREVIEWED % "summary",
            response_timeout=timedelta(days=DAYS),
        )
        publish = LakeCommand(
            task_id="publish",
            arguments=["publish", "--region", region.key, "--marts", PREVIEWED % "marts", "--by", f"Airflow: {APPROVER}"],
        )

        @task
        def notify(said: str) -> None:
            tell(f"{region.name_ja}: 公表した", said)

        gates >> preview >> approve >> publish
        notify(publish.output)
    return dag


for described in regions():
    dag = publish_region(described)
    globals()[dag.dag_id] = dag
