"""One lake server with two workers, several clients at once: two insurers of different regions come in at the same time, with tables in local
files and on S3-compatible storage; the lake is the one that embedded mode makes of the same files, one after the other."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from compare import contents, contents_of, differences
from served import BIN, ROOT, begun, ended, lake, s3, services

from spark_jobs.settings import Settings

pytestmark = [pytest.mark.long, pytest.mark.timeout(45 * 60)]

INSURERS = {"06139901": "demo", "06279905": "west"}  # and the region of each
INVENTED = ("--members", "300", "--first-service-month", "202503", "--months", "2", "--seed", "1")
TAKEN_IN, ALL = ("landing", "bronze", "silver"), ("landing", "bronze", "silver", "masters", "marts")


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> Path:
    """What both have delivered, and config/ with a region for each."""
    place = tmp_path_factory.mktemp("lake_server")
    shutil.copytree(ROOT / "config", place / "config")
    regions = place / "config" / "regions"
    demo = (regions / "demo.yaml").read_text(encoding="utf-8")
    (listed,) = [line for line in demo.splitlines() if line.startswith("insurers:")]
    for file in regions.glob("*.yaml"):
        file.unlink()
    for number, region in INSURERS.items():
        told = demo.replace(listed, f"insurers: ['{number}']").replace("region_key: demo", f"region_key: {region}")
        (regions / f"{region}.yaml").write_text(told, encoding="utf-8")
    for file in (place / "config" / "insurers").glob("*.yaml"):
        if file.stem not in INSURERS:
            file.unlink()
    lake(place / "made", "synthesize", place / "made", *INVENTED)
    return place


def delivered(place: Path, files: Path, **more: str) -> Path:
    """A lake with keys, lists and deliveries, nothing taken in. All have the same keys: pseudonyms can be compared."""
    if not (files / "secrets").exists():
        lake(files / "any", "keys", "create")
        shutil.copytree(files / "any" / "secrets", files / "secrets")
    shutil.copytree(files / "secrets", place / "secrets")
    lake(place, "masters", "load", "shipped", **more)
    for number in INSURERS:
        lake(place, "deliver", files / "made" / "inbox" / number, "--insurer", number, **more)
    return place


@pytest.fixture(scope="module")
def wanted(files: Path) -> Path:
    """Embedded, local files, one after the other."""
    place = delivered(files / "embedded", files)
    for number in INSURERS:
        lake(place, "ingest", "--insurer", number)
    lake(place, "build")
    return place / "lake"


@pytest.fixture(scope="module")
def on_s3(tmp_path_factory) -> Iterator[dict[str, str]]:
    if not (ROOT / ".jars" / "storage").exists():
        pytest.skip("make setup-storage was not run")
    with s3(tmp_path_factory.mktemp("s3") / "log") as known, pytest.MonkeyPatch.context() as patched:
        for name, value in known.items():  # this process reads the tables too
            patched.setenv(name, value)
        yield known | {"LAKE_STORAGE": "s3a://lake/tables"}


@pytest.mark.parametrize("storage", ["local files", "S3"])
def test_two_insurers_at_once_give_the_lake_of_one_after_the_other(files: Path, wanted: Path, storage: str, request):
    more = request.getfixturevalue("on_s3") if storage == "S3" else {}
    place = delivered(files / storage.replace(" ", "_"), files, **more)
    warehouse = Settings(home=place / "lake", storage=more.get("LAKE_STORAGE")).warehouse
    with services(place, **more):
        ports = json.loads((place / "lake" / "services" / "ports.json").read_text())
        served = more | {"LAKE_SPARK_REMOTE": f"sc://localhost:{ports['connect']}", "LAKE_WAIT_SECONDS": "600"}
        command = (BIN / "python", "-m", "spark_jobs.cli", "ingest", "--insurer")
        both = [begun(place, *command, number, **served) for number in INSURERS]
        for process in both:
            assert "202504" in ended(process)
        assert differences(contents_of(warehouse, TAKEN_IN), contents(wanted, TAKEN_IN)) == []
        lake(place, "build", **served)
    assert differences(contents_of(warehouse, ALL), contents(wanted, ALL)) == []
    assert not (place / "lake" / "warehouse").exists() or storage != "S3"
