"""The plugin loads in every process of Airflow: without an error, and without weight."""

import subprocess
import sys
from pathlib import Path

from airflow import plugins_manager


def test_airflow_finds_it() -> None:
    plugins, errors = plugins_manager._get_plugins()
    assert not errors
    (plugin,) = [one for one in plugins if one.name == "kindling"]
    assert (
        "kindling_airflow.timetable.NightlyTimetable"
        in plugins_manager.get_timetables_plugins()
    )
    (app,) = plugin.fastapi_apps
    assert app["url_prefix"] == "/kindling"
    # Each view is a page of that app.
    assert all(view["href"].startswith("/kindling/") for view in plugin.external_views)


def test_one_uniquely_named_file(repository: Path) -> None:
    # Airflow imports each under its bare name.
    assert [path.name for path in (repository / "plugins").glob("*.py")] == [
        "kindling_plugin.py"
    ]


def test_loading_it_imports_no_web_framework_and_no_database(repository: Path) -> None:
    program = (
        "import sys\nfrom airflow.plugins_manager import AirflowPlugin\nbefore = set(sys.modules)\n"
        "import kindling_plugin\nadded = {name.split('.')[0] for name in set(sys.modules) - before}\n"
        "assert added <= {'kindling_plugin'}, added"
    )
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program],
        cwd=repository / "plugins",
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
