"""Airflow's API as its users call it: who starts runs, who answers the question to the committee."""

import json
import time
import urllib.error
import urllib.request
from contextlib import suppress
from pathlib import Path

REGION = "demo"
INGEST, PUBLISH = f"ingest_region__{REGION}", f"publish_region__{REGION}"


class UnwellError(Exception):
    """A server that does not answer, or not well."""


class Airflow:
    """Its API, as one of its users."""

    def __init__(self, home: Path, secrets: Path, user: str):
        kept = home / "services" / "ports.json"
        self.url = f"http://127.0.0.1:{json.loads(kept.read_text())['airflow']}"
        password = (secrets / "services" / f"user_{user}.password").read_text()
        self.token = ""
        self.token = self("POST", "/auth/token", {"username": user, "password": password})["access_token"]

    def __call__(self, method: str, path: str, body: dict | None = None) -> dict:
        headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {self.token}"} if self.token else {})
        request = urllib.request.Request(self.url + path, json.dumps(body).encode() if body is not None else None, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=30) as reply:
                return json.load(reply)
        except urllib.error.HTTPError as error:
            told = f"{method} {path}: {error.code} {error.read()[:500]!r}"
            raise (UnwellError if error.code >= 500 else AssertionError)(told) from None
        except OSError as error:
            raise UnwellError(f"{method} {path}: {error}") from None

    def runs(self, dag: str) -> list[dict]:
        return self("GET", f"/api/v2/dags/{dag}/dagRuns?order_by=-run_after")["dag_runs"]

    def wait(self, told: str, found, minutes: int = 20):
        """What `found` gives, once it gives something; a server that is being killed or comes up again is asked again."""
        until = time.monotonic() + minutes * 60
        while time.monotonic() < until:
            with suppress(UnwellError):
                if result := found():
                    return result
            time.sleep(3)
        raise AssertionError(f"{told}: not in {minutes} minutes; {self.states()}")

    def ended(self, dag: str, run_id: str | None = None) -> str:
        """The state of a run (the newest), when it has ended."""

        def state():
            found = [run for run in self.runs(dag) if run_id in (None, run["dag_run_id"])]
            return found[0]["state"] if found and found[0]["state"] in ("success", "failed") else None

        return self.wait(f"{dag} ends", state)

    def states(self) -> dict:
        dags = (INGEST, "build_marts", PUBLISH)
        tasks = lambda dag, run: self("GET", f"/api/v2/dags/{dag}/dagRuns/{run}/taskInstances")["task_instances"]  # noqa: E731
        return {dag: [(t["task_id"], t["state"]) for run in self.runs(dag)[:1] for t in tasks(dag, run["dag_run_id"])] for dag in dags}


def started(engineer: Airflow) -> str:
    return engineer("POST", f"/api/v2/dags/{INGEST}/dagRuns", {"logical_date": None})["dag_run_id"]


def asked(engineer: Airflow) -> dict:
    """The open question to the committee, once there is one."""

    def open_one() -> dict | None:
        return next((x for x in questions(engineer) if x["task_instance"]["task_id"] == "approve"), None)

    return engineer.wait("the committee is asked", open_one)


def questions(airflow: Airflow, run: str = "~") -> list[dict]:
    """Those that nobody has answered yet, to the committee and to insurers."""
    return airflow("GET", f"/api/v2/dags/{PUBLISH}/dagRuns/{run}/hitlDetails?response_received=false")["hitl_details"]


def approve(committee: Airflow, question: dict) -> str:
    """The run whose questions were answered, those to insurers too."""
    run = question["task_instance"]["dag_run_id"]
    # People take longer: on a busy machine Airflow 3.3.2 takes an answer within seconds of the question for a lost task, and asks once more.
    time.sleep(60)
    for task in sorted((x["task_instance"] for x in questions(committee, run)), key=lambda task: task["task_id"] == "approve"):
        path = f"/api/v2/dags/{PUBLISH}/dagRuns/{run}/taskInstances/{task['task_id']}/{task['map_index']}/hitlDetails"
        committee("PATCH", path, {"chosen_options": ["Approve"], "params_input": {}})
    return run
