"""The first region of docs/operator_guide.md, in a fresh clone with an empty home: its own commands, then the committee's answer."""

import os
import re
import subprocess
import time
from pathlib import Path

import pytest
from airflow_api import PUBLISH, Airflow, approve, asked
from served import ROOT

GUIDE = ROOT / "docs" / "operator_guide.md"


def commands() -> str:
    (block,) = re.findall(
        r"from a fresh clone to the committee's question:\n\n```bash\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL
    )
    return block


@pytest.mark.long
@pytest.mark.timeout(45 * 60)
def test_the_guide_leads_from_nothing_to_an_opened_region(tmp_path: Path, record_property):
    project, home = tmp_path / "project", tmp_path / "home"
    home.mkdir()
    subprocess.run(["git", "clone", "-q", str(ROOT), str(project)], check=True)
    env = {name: value for name, value in os.environ.items() if not name.startswith(("LAKE_", "AIRFLOW", "VIRTUAL_ENV", "PYTHON"))}
    env |= {"HOME": str(home), "XDG_CACHE_HOME": str(home / ".cache"), "UV_CACHE_DIR": str(home / ".cache" / "uv")}

    def run(words: str) -> str:
        done = subprocess.run(["bash", "-euc", words], env=env, cwd=project, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
        return done.stdout

    begun = time.monotonic()
    try:
        run(commands())
        engineer, committee = (Airflow(project / ".lake", project / ".lake-secrets", user) for user in ("engineer", "committee"))
        question = asked(engineer)
        record_property("seconds to the question", round(time.monotonic() - begun))
        assert engineer.ended(PUBLISH, approve(committee, question)) == "success"
        record_property("seconds to the publication", round(time.monotonic() - begun))
        assert "committee" in run(".venv/bin/lake publications")
        assert (project / ".lake" / "reports" / "demo" / "report.html").exists()
    finally:
        run("make services-stop")
