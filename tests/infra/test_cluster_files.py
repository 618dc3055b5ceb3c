"""infra/compose and infra/kubernetes, checked as text: schemas, closed doors, one writing driver. Each rule has a bad sample that it refuses."""

import copy
from pathlib import Path

import kubernetes_validate
import pytest
import yaml

INFRA = Path(__file__).resolve().parents[2] / "infra"
VERSION = kubernetes_validate.latest_version()


def compose() -> dict:
    return yaml.safe_load((INFRA / "compose" / "compose.yaml").read_text(encoding="utf-8"))


def manifests() -> list[dict]:
    return [m for m in yaml.safe_load_all((INFRA / "kubernetes" / "lake.yaml").read_text(encoding="utf-8")) if m]


def compose_faults(file: dict) -> set[str]:
    found = set()
    for name, service in file["services"].items():
        if any(not str(port).startswith("127.0.0.1:") for port in service.get("ports", [])):
            found.add("a port beyond loopback")
        if ":" not in service["image"] or service["image"].endswith(":latest"):
            found.add("an image without a version")
        if any("PASSWORD" in key and not key.endswith("_FILE") for key in service.get("environment", {})):
            found.add("a password in a variable")
        if name == "lake-server" and service.get("deploy", {}).get("replicas", 1) != 1:
            found.add("two writing drivers")
        if set(service.get("secrets", [])) - set(file["secrets"]):
            found.add("a secret that is not declared")
    if file["services"]["airflow-scheduler"].get("network_mode") != "service:lake-server":
        found.add("the token on the network")
    return found


def manifest_faults(found_manifests: list[dict]) -> set[str]:
    found = set()
    for manifest in found_manifests:
        try:
            kubernetes_validate.validate(manifest, VERSION, strict=True)
        except kubernetes_validate.ValidationError:
            found.add("no valid manifest")
        if manifest["kind"] != "Deployment":
            continue
        spec = manifest["spec"]
        pod = spec["template"]["spec"]
        if not pod.get("securityContext", {}).get("runAsNonRoot"):
            found.add("a pod as root")
        if any(not c.get("resources", {}).get("limits", {}).get("memory") for c in pod["containers"]):
            found.add("a container without a limit of memory")
        if any(c["image"].endswith(":latest") or ":" not in c["image"] for c in pod["containers"]):
            found.add("an image without a version")
        if manifest["metadata"]["name"] == "lake" and (spec["replicas"], spec["strategy"]["type"]) != (1, "Recreate"):
            found.add("two writing drivers")
    if "Secret" in {m["kind"] for m in found_manifests}:
        found.add("a secret in a file")
    if not any(m["kind"] == "NetworkPolicy" for m in found_manifests):
        found.add("open to the cluster")
    return found


def test_compose_keeps_the_rules():
    assert len(compose()["services"]) == 10
    assert compose_faults(compose()) == set()


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (lambda f: f["services"]["airflow-api"].update(ports=["8080:8080"]), "a port beyond loopback"),
        (lambda f: f["services"]["postgres"].update(image="postgres"), "an image without a version"),
        (lambda f: f["services"]["postgres"].update(environment={"POSTGRES_PASSWORD": "x"}), "a password in a variable"),
        (lambda f: f["services"]["lake-server"].update(deploy={"replicas": 2}), "two writing drivers"),
        (lambda f: f["secrets"].pop("jwt"), "a secret that is not declared"),
        (lambda f: f["services"]["airflow-scheduler"].pop("network_mode"), "the token on the network"),
    ],
)
def test_a_bad_compose_file_is_refused(change, fault):
    file = copy.deepcopy(compose())
    change(file)
    assert fault in compose_faults(file)


def test_manifests_keep_the_rules():
    assert len(manifests()) == 9
    assert manifest_faults(manifests()) == set()


def lake(found: list[dict]) -> dict:
    return next(m for m in found if m["kind"] == "Deployment" and m["metadata"]["name"] == "lake")


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (lambda ms: lake(ms)["spec"].update(replica=1), "no valid manifest"),
        (lambda ms: lake(ms)["spec"].update(replicas=2), "two writing drivers"),
        (lambda ms: lake(ms)["spec"]["template"]["spec"].pop("securityContext"), "a pod as root"),
        (lambda ms: lake(ms)["spec"]["template"]["spec"]["containers"][0].pop("resources"), "a container without a limit of memory"),
        (lambda ms: ms.append({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}}), "a secret in a file"),
        (lambda ms: ms.pop(), "open to the cluster"),
    ],
)
def test_a_bad_manifest_is_refused(change, fault):
    found = manifests()
    change(found)
    assert fault in manifest_faults(found)
