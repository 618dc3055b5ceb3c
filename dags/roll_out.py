"""Moves a region to its next state: joined → baseline → acting → evaluating, or paused, withdrawn; baseline first, earlier waves first.
Start it by hand with who decided and why; the committee is asked, then the step is recorded in `ops.rollout_state`.

**If it fails:** *not ready*: the last line says what is missing (months, a frozen baseline, an approver, an earlier wave); `lake rollout
status` shows all regions. Mend it and clear the task. Normal: a minute, and the time that people take. More: docs/runbooks/open_region.md.
"""

from datetime import timedelta

from airflow.providers.standard.operators.hitl import ApprovalOperator
from airflow.sdk import DAG, Param
from dag_tags import Tag
from lake_operators import DEFAULTS, LakeCommand
from notices import deadline
from regions import regions

DAYS = 14  # for an answer
KEYS = [region.key for region in regions()]
STATES = ["joined", "baseline", "acting", "evaluating", "paused", "withdrawn"]

with DAG(
    dag_id="roll_out",
    description="a region's next state, when the committee agrees",
    doc_md=__doc__,
    schedule=None,
    catchup=False,
    max_active_runs=1,
    deadline=deadline("roll_out", DAYS * 24),
    tags=[Tag.ROLLOUT],
    default_args=DEFAULTS,
    params={
        "region": Param(KEYS[0], type="string", enum=KEYS),
        "state": Param(STATES[0], type="string", enum=STATES),
        "decided_by": Param(type="string", minLength=1, description="決定者: post or committee"),
        "reason": Param(type="string", minLength=1, description="理由"),
    },
):
    approve = ApprovalOperator(
        task_id="approve",
        subject="{{ params.region }}: {{ params.state }} への移行の承認",
        body="理由: {{ params.reason }}",
        response_timeout=timedelta(days=DAYS),
    )
    words = ["{{ params.region }}", "{{ params.state }}", "--by", "{{ params.decided_by }}", "--reason", "{{ params.reason }}"]
    approve >> LakeCommand(task_id="move", arguments=["rollout", "move", *words])
