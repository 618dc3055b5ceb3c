"""Publishes the figures of a region: gates → preview beside the last publication → approval → switch-over → notice.
Readers see the old publication or the new one, whole; a rejection or a gate that stops leaves them the old one. The committee answers for
the region, the approver of each insurer of which a published figure moved for that insurer: silence for a week is agreement, so that
none can block the others for longer.

**If it fails:** *gates*: the log has a table of what stops and what to do; mend it (a delivery, a list), wait for `build_marts`, clear the
task. If it is right to publish all the same: `lake publish --despite REASON` by hand, which is kept. *gates* skipped: what came in since is
not built yet; nobody is needed, the build asks again. *approve*: nobody answered in time; clear it to ask again. *approve_insurer*: an
insurer rejects what moved of its own; ask it why and mend it, or clear the task to ask again. *publish*, *built since the preview*: clear
*preview* and all after it, it is asked again. Normal: minutes, and the time that people take. More: docs/runbooks/failed_publication.md.
"""

from datetime import timedelta

from airflow.providers.standard.operators.hitl import ApprovalOperator
from airflow.sdk import DAG, TriggerRule, task
from dag_tags import Tag
from lake_operators import DEFAULTS, LakeCommand, LakeGates, LakePreview
from notices import deadline, tell
from regions import Region, regions

DAYS = 14  # for an answer of the committee
INSURER_DAYS = 7  # after which an insurer's silence is agreement
PREVIEWED = "{{ ti.xcom_pull(task_ids='preview')['%s'] }}"


def decided_by(ti) -> str:
    """Who answered, for the record of the publication."""
    insurers = ti.xcom_pull(task_ids="preview")["insurers"]
    answers = ti.xcom_pull(task_ids="approve_insurer", map_indexes=range(len(insurers)))
    names = [
        _name(ti.xcom_pull(task_ids="approve")),
        *(f"{number} {_name(answer)}" for number, answer in zip(insurers, answers, strict=True)),
    ]
    return f"Airflow: {', '.join(names)}"


def _name(answer: dict) -> str:
    return (answer["responded_by_user"] or {}).get("name", "without an answer")


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
        user_defined_macros={"decided_by": decided_by},
    ) as dag:
        gates = LakeGates(task_id="gates", region=region.key)
        preview = LakePreview(task_id="preview", region=region.key)
        approve = ApprovalOperator(
            task_id="approve",
            subject=f"{region.name_ja}: 公表の承認",
            body=PREVIEWED % "summary",
            response_timeout=timedelta(days=DAYS),
        )

        @task
        def questions(previewed: dict) -> list[dict[str, str]]:
            return [{"subject": f"{number}: 自保険者の数値の承認", "body": text} for number, text in previewed["insurers"].items()]

        approve_insurer = ApprovalOperator.partial(
            task_id="approve_insurer",
            map_index_template="{{ task.subject }}",
            response_timeout=timedelta(days=INSURER_DAYS),
            defaults=ApprovalOperator.APPROVE,
            fail_on_reject=True,
        ).expand_kwargs(questions(preview.output))
        publish = LakeCommand(
            task_id="publish",
            arguments=["publish", "--region", region.key, "--marts", PREVIEWED % "marts", "--by", "{{ decided_by(ti) }}"],
            trigger_rule=TriggerRule.NONE_FAILED_MIN_ONE_SUCCESS,  # where nothing published moved no insurer is asked
        )

        @task
        def notify(said: str) -> None:
            tell(f"{region.name_ja}: 公表した", said)

        gates >> preview >> approve >> publish
        approve_insurer >> publish
        notify(publish.output)
    return dag


for described in regions():
    dag = publish_region(described)
    globals()[dag.dag_id] = dag
