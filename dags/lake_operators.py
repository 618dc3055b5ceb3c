"""Airflow tasks that run one `lake` command each, in the house's own environment (.venv), and read its exit code.

The environment variables LAKE_… of the Airflow worker reach the command; relative paths count from the root of the checkout.
"""

import os
from enum import IntEnum
from pathlib import Path

from airflow.providers.standard.hooks.subprocess import SubprocessHook
from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowException, AirflowFailException, AirflowSkipException

ROOT = Path(__file__).resolve().parent.parent


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


NEEDS_A_PERSON = (ExitCode.USAGE, ExitCode.BAD_INPUT, ExitCode.BAD_CONFIG, ExitCode.NOT_READY, ExitCode.GATE)


class LakeCommand(BaseOperator):
    """Run `lake ARGUMENTS`.

    What only a person can mend fails at once. A busy lake, a crash or a killed process is retried: every command may be repeated.
    """

    template_fields = ("arguments",)
    ui_color = "#dfeee4"

    def __init__(self, *, arguments: list[str], **kwargs):
        super().__init__(**kwargs)
        self.arguments = arguments
        self._process = SubprocessHook()

    def execute(self, context) -> int:
        return self.run_lake(self.arguments)

    def run_lake(self, arguments: list[str], tolerated: tuple[ExitCode, ...] = ()) -> int:
        executable = str(ROOT / os.environ.get("LAKE_BIN", ".venv/bin/lake"))
        result = self._process.run_command([executable, *arguments], env={**os.environ, "COLUMNS": "160"}, cwd=str(ROOT))
        code = result.exit_code
        if code == ExitCode.OK or code in tolerated:
            return code
        message = f"lake {' '.join(arguments)}: exit code {code}; expected 0. {result.output}"
        raise AirflowFailException(message) if code in NEEDS_A_PERSON else AirflowException(message)

    def on_kill(self) -> None:
        self._process.send_sigterm()


class LakeDeliver(LakeCommand):
    """Record what lies in an insurer's folder of the inbox. No folder: skipped, with a word.

    A file that its sender must mend stops neither the other files nor the task: the label of the task says so, `lake status` has the rest.
    """

    template_fields = ("insurer",)
    LABEL = "{{ task.insurer }}{{ finding }}"  # map_index_template of the mapped tasks

    def __init__(self, *, insurer: str, **kwargs):
        super().__init__(arguments=[], **kwargs)
        self.insurer = insurer

    def execute(self, context) -> int:
        context["finding"] = ""
        folder = ROOT / os.environ.get("LAKE_INBOX", "inbox") / self.insurer
        if not folder.is_dir():
            context["finding"] = " nothing delivered"
            raise AirflowSkipException(
                f"{folder}: no such folder; expected the deliveries of insurer {self.insurer}. Nothing to do for it."
            )
        code = self.run_lake(["deliver", str(folder), "--insurer", self.insurer], tolerated=(ExitCode.BAD_INPUT,))
        if code == ExitCode.BAD_INPUT:
            context["finding"] = " files rejected"
            self.log.warning("%s: files that their sender must mend (named above, and by `lake status`); the others go on.", folder)
        return code
