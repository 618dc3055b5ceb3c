"""Tell the joint office: in the log always; where set, to a webhook (LAKE_NOTICE_WEBHOOK) and by e-mail (LAKE_NOTICE_EMAIL, by
LAKE_SMTP=host:port).

No person's data: a notice names DAG, task and what `lake` said of itself. A notice that can't be sent fails nothing.
"""

import json
import logging
import os
import smtplib
import urllib.request
from datetime import timedelta
from email.message import EmailMessage

from airflow.sdk import DeadlineAlert, DeadlineReference, SyncCallback

log = logging.getLogger(__name__)
SECONDS = 10


def tell(subject: str, text: str = "") -> None:
    """One notice, to everyone who is set."""
    log.warning("notice: %s. %s", subject, text)
    for send in (_to_webhook, _to_mailbox):
        try:
            send(subject, text)
        except (OSError, smtplib.SMTPException) as error:
            log.error("the notice could not be sent: %s", type(error).__name__)


def _to_webhook(subject: str, text: str) -> None:
    if url := os.environ.get("LAKE_NOTICE_WEBHOOK"):
        body = json.dumps({"text": f"{subject}\n{text}".strip()}).encode()
        request = urllib.request.Request(url, body, {"Content-Type": "application/json"})  # noqa: S310  set by the operator
        urllib.request.urlopen(request, timeout=SECONDS).close()  # noqa: S310


def _to_mailbox(subject: str, text: str) -> None:
    if address := os.environ.get("LAKE_NOTICE_EMAIL"):
        message = EmailMessage()
        message["Subject"], message["From"], message["To"] = subject, address, address
        message.set_content(text or subject)
        with smtplib.SMTP(os.environ.get("LAKE_SMTP", "localhost:25"), timeout=SECONDS) as server:
            server.send_message(message)


def failed(context) -> None:
    """on_failure_callback of every task: no retry is left."""
    task = context["task_instance"]
    tell(f"{task.dag_id}: {task.task_id} failed", str(context.get("exception") or ""))


def late(dag_id: str, hours: int, **_) -> None:
    """A run that is not done in time."""
    tell(f"{dag_id}: takes {hours} hours longer than usual", "Open the run in Airflow: what waits, and for whom?")


def deadline(dag_id: str, hours: int) -> DeadlineAlert:
    """Tell once where a run takes so many hours longer than the mean of its last ten; the first run has nothing to be held against.

    Not counted from the start of the run (DAGRUN_QUEUED_AT): Airflow 3.3.2 then answers 500 where a task of a failed run is cleared.
    """
    callback = SyncCallback("notices.late", kwargs={"dag_id": dag_id, "hours": hours})
    return DeadlineAlert(DeadlineReference.AVERAGE_RUNTIME(max_runs=10, min_runs=1), timedelta(hours=hours), callback)
