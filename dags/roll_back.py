"""Shows the publication before the present one again, to all readers; the lake and its marts stay as they are.
Start it by hand, with who decided and why: both are kept in `ops.publication`.

**If it fails:** *no earlier publication*: there is none. *tables … are gone*: after an erasure or a restore only a new publication helps.
Normal: a minute. More: docs/runbooks/failed_publication.md.
"""

from airflow.sdk import DAG, Param
from dag_tags import Tag
from lake_operators import DEFAULTS, LakeCommand
from notices import deadline
from regions import regions

HOURS = 1
KEYS = [region.key for region in regions()]

with DAG(
    dag_id="roll_back",
    description="the publication before, again",
    doc_md=__doc__,
    schedule=None,
    catchup=False,
    max_active_runs=1,
    deadline=deadline("roll_back", HOURS),
    tags=[Tag.PUBLISH],
    default_args=DEFAULTS,
    params={
        "region": Param(KEYS[0], type="string", enum=KEYS, description="whose report is written anew"),
        "decided_by": Param(type="string", minLength=1, description="決定者: post or committee"),
        "reason": Param(type="string", minLength=1, description="理由"),
    },
):
    LakeCommand(
        task_id="roll_back",
        arguments=[
            "publish", "--region", "{{ params.region }}", "--by", "{{ params.decided_by }}", "--roll-back", "{{ params.reason }}",
        ],
    )  # fmt: skip
