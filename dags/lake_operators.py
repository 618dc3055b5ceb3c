"""Airflow tasks that run one `lake` command each, in the house's own environment (.venv), and read its exit code.

The environment variables LAKE_… of the Airflow worker reach the command; relative paths count from the root of the checkout.
"""

import json
import os
from datetime import timedelta
from enum import IntEnum
from pathlib import Path

import notices
from airflow.providers.standard.exceptions import HITLRejectException
from airflow.providers.standard.hooks.subprocess import SubprocessHook
from airflow.sdk import BaseOperator, ExceptionRetryPolicy, RetryAction, RetryRule
from airflow.sdk.exceptions import AirflowException, AirflowFailException, AirflowSkipException

ROOT = Path(__file__).resolve().parent.parent
POOL = "lake"  # one place: an embedded lake is held by one process at a time; other regions wait here, not in a task


class ExitCode(IntEnum):
    """What `lake` tells its caller; the twin of spark_jobs.errors.ExitCode, which DAG files may not import (a test holds both equal)."""

    OK = 0
    FAILED = 1
    USAGE = 2
    BAD_INPUT = 3
    BAD_CONFIG = 4
    NOT_READY = 5
    BUSY = 6
    MACHINE = 7
    GATE = 8
    OUTDATED = 9


NEEDS_A_PERSON = (
    ExitCode.USAGE, ExitCode.BAD_INPUT, ExitCode.BAD_CONFIG, ExitCode.NOT_READY, ExitCode.GATE, ExitCode.OUTDATED,
)  # fmt: skip


class LakeBusyError(AirflowException):
    """Another process holds the lake."""


class LakeCrashError(AirflowException):
    """`lake` was killed, or met something unforeseen."""


RETRIES = ExceptionRetryPolicy(
    [
        RetryRule(LakeBusyError, RetryAction.RETRY, timedelta(minutes=5), "the lake is in use: another process holds it"),
        RetryRule(HITLRejectException, RetryAction.FAIL, reason="somebody said no: mend it, or clear the task to ask again"),
        RetryRule(LakeCrashError, RetryAction.RETRY, timedelta(minutes=1), "lake crashed or was killed: every command may be repeated"),
    ]
)
DEFAULTS = {
    "owner": "joint_office", "retries": 3, "retry_delay": timedelta(minutes=5), "retry_policy": RETRIES,
    "on_failure_callback": notices.failed,
}  # fmt: skip


class LakeCommand(BaseOperator):
    """Run `lake ARGUMENTS`; its last line is the task's result.

    What only a person can mend fails at once. A busy lake, a crash or a killed process is retried: every command may be repeated.
    """

    template_fields = ("arguments",)
    ui_color = "#dfeee4"
    URGENCY = 1  # who of those that wait for the lake goes first

    def __init__(self, *, arguments: list[str], **kwargs):
        super().__init__(**{"pool": POOL, "priority_weight": self.URGENCY, "weight_rule": "absolute"} | kwargs)
        self.arguments = arguments
        self._process = SubprocessHook()

    def execute(self, context) -> str:
        return self.run_lake(self.arguments)[1]

    def run_lake(self, arguments: list[str], tolerated: tuple[ExitCode, ...] = ()) -> tuple[int, str]:
        """Exit code and last line."""
        executable = str(ROOT / os.environ.get("LAKE_BIN", ".venv/bin/lake"))
        result = self._process.run_command([executable, *arguments], env={**os.environ, "COLUMNS": "160"}, cwd=str(ROOT))
        code = result.exit_code
        if code == ExitCode.OK or code in tolerated:
            return code, result.output
        message = f"lake {' '.join(arguments)}: exit code {code}; expected 0. {result.output}"
        if code in NEEDS_A_PERSON:
            raise AirflowFailException(message)
        raise (LakeBusyError if code == ExitCode.BUSY else LakeCrashError)(message)

    def on_kill(self) -> None:
        self._process.send_sigterm()


class LakeDeliver(LakeCommand):
    """Record what lies in an insurer's folder of the inbox. No folder: skipped, with a word.

    A file that its sender must mend stops neither the other files nor the task: the label of the task says so, `lake status` has the rest.
    """

    template_fields = ("insurer",)
    LABEL = "{{ task.insurer }}{{ finding }}"  # map_index_template of the mapped tasks
    URGENCY = 3

    def __init__(self, *, insurer: str, **kwargs):
        super().__init__(arguments=[], **kwargs)
        self.insurer = insurer

    def execute(self, context) -> str:
        context["finding"] = ""
        folder = ROOT / os.environ.get("LAKE_INBOX", "inbox") / self.insurer
        if not folder.is_dir():
            context["finding"] = " nothing delivered"
            raise AirflowSkipException(
                f"{folder}: no such folder; expected the deliveries of insurer {self.insurer}. Nothing to do for it."
            )
        code, _ = self.run_lake(["deliver", str(folder), "--insurer", self.insurer], tolerated=(ExitCode.BAD_INPUT,))
        if code == ExitCode.BAD_INPUT:
            context["finding"] = " files rejected"
            self.log.warning("%s: files that their sender must mend (named above, and by `lake status`); the others go on.", folder)
        return self.insurer


class LakeIngest(LakeCommand):
    """Take an insurer's new deliveries into the lake, and tell which months of the region are new: a partition of the asset for each."""

    template_fields = ("insurer",)
    URGENCY = 2  # before a build: it begins when all that was delivered is in

    def __init__(self, *, insurer: str, region: str, **kwargs):
        super().__init__(arguments=[], **kwargs)
        self.insurer, self.region = insurer, region

    def execute(self, context) -> list[int]:
        _, said = self.run_lake(["ingest", "--insurer", self.insurer], tolerated=(ExitCode.BAD_INPUT,))
        months = json.loads(said)["claim_months"]
        if not months:
            raise AirflowSkipException(f"{self.insurer}: nothing new")
        (claims,) = self.outlets
        context["outlet_events"][claims].add_partitions([f"{self.region}|{month}" for month in months])
        return months


class LakeBuild(LakeCommand):
    """`lake build`; the result is the key of the marts as they then stand: who asks for their publication names the run by it."""

    def execute(self, context) -> str:
        return json.loads(super().execute(context))["marts"]


def publication_of(region: str, marts: str) -> dict[str, str]:
    """Arguments of a TriggerDagRunOperator: one run of a region's publication for the same marts, whoever asks and how often."""
    return {"trigger_dag_id": f"publish_region__{region}", "trigger_run_id": f"marts_{marts}"}


class LakeGates(LakeCommand):
    """Measure a region's gates. Claims or lists are newer than the marts: skipped, with all after it; their build asks again."""

    def __init__(self, *, region: str, **kwargs):
        super().__init__(arguments=["gates", "--region", region], **kwargs)

    def execute(self, context) -> str:
        code, said = self.run_lake(self.arguments, tolerated=(ExitCode.OUTDATED,))
        if code == ExitCode.OUTDATED:
            raise AirflowSkipException(f"{said} In Airflow: build_marts, which asks again; after lists were loaded start it yourself.")
        return said


class LakePreview(LakeCommand):
    """Make what would be published: its key, a summary for the committee, a text for each insurer that is asked. Nothing new: skipped, and
    all after it."""

    def __init__(self, *, region: str, **kwargs):
        super().__init__(arguments=["publish", "--preview", "--region", region], **kwargs)

    def execute(self, context) -> dict:
        said = json.loads(super().execute(context))
        if not said["is_new"]:
            raise AirflowSkipException("these figures are published already")
        of_insurers = {number: Path(path).read_text(encoding="utf-8") for number, path in said["of_insurers"].items()}
        return {"marts": said["marts"], "summary": Path(said["summary"]).read_text(encoding="utf-8"), "insurers": of_insurers}


class LakeLists(LakeCommand):
    """Load the official lists of one kind that lie in its folder; no folder: skipped."""

    template_fields = ("kind",)

    def __init__(self, *, kind: str, folder: str, **kwargs):
        super().__init__(arguments=[], **kwargs)
        self.kind, self.folder = kind, folder

    def execute(self, context) -> str:
        lists = ROOT / self.folder / self.kind
        if not lists.is_dir():
            raise AirflowSkipException(f"{lists}: no such folder; nothing to load")
        return self.run_lake(["masters", "load", self.kind, str(lists)])[1]
