"""An Airflow home of this process's own, named before anything imports Airflow."""

import atexit
import os
import shutil
import sys
import tempfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
# The same name in every folder of tests that imports Airflow: it reads its home once a process.
HOME = Path(tempfile.gettempdir()) / f"kindling-airflow-tests-{os.getpid()}"

if os.environ.get("AIRFLOW_HOME") != str(HOME):
    assert "airflow" not in sys.modules, (
        "Airflow was imported before its home was named"
    )
    os.environ["AIRFLOW_HOME"] = str(HOME)
    HOME.mkdir(exist_ok=True)
    folders = f"dags_folder = {ROOT / 'dags'}\nplugins_folder = {ROOT / 'plugins'}\n"
    (HOME / "airflow.cfg").write_text(f"[core]\nload_examples = False\n{folders}")
    atexit.register(shutil.rmtree, HOME, ignore_errors=True)


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the machine happens to export must not decide how a DAG parses."""
    for name in [name for name in os.environ if name.startswith(("KINDLING_", "AWS_"))]:
        if not name.startswith("KINDLING_TEST_"):
            monkeypatch.delenv(name)
