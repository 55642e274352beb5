"""What a laptop does to a supervisor: odd folder names, slow starts, shells that ignore Ctrl-C, other ports."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import psutil
import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import make_url

from kindling_local import __main__ as entry
from kindling_local import commands, environment, preparation, startup, status
from kindling_local.components import airflow_services, shop_service
from kindling_local.environment import database_url
from kindling_local.errors import SupervisorError
from kindling_local.layout import Layout, from_environment
from kindling_local.state import State, save

from .conftest import text_console

Launch = Callable[..., psutil.Process]

FOLDERS = st.text(
    st.characters(exclude_categories=("Cs", "Cc"), exclude_characters="/"), min_size=1
).map(lambda name: Path("/home") / name / "postgres")


@given(FOLDERS)
def test_any_folder_name_survives_both_readers_of_a_database_url(folder: Path) -> None:
    read = psycopg.conninfo.conninfo_to_dict(database_url(folder, "kindling"))
    assert read["host"] == str(folder)
    url = make_url(database_url(folder, "mlflow", "+psycopg"))
    assert url.query["host"] == str(folder) and url.database == "mlflow"


def test_objects_are_under_the_folder_as_it_is_written(layout: Layout) -> None:
    odd = replace(layout, var=Path("/tmp/one two&50%+é"))
    given = environment.product_environment(odd, Path("/s"), "demo", {"PATH": ""})
    assert given["KINDLING_OBJECTS_URL"] == f"file://{odd.objects}"


def test_start_limits_are_a_setting(layout: Layout) -> None:
    asked = from_environment({"KINDLING_START_SECONDS": "900"})
    limits = {one.timeout_s for one in airflow_services(asked, {}, 0.0)}
    assert limits | {shop_service(asked, {}, "c").timeout_s} == {900.0}


def test_the_shop_is_shown_as_of_a_day(layout: Layout) -> None:
    told = shop_service(layout, {"KINDLING_SHOP_DATE": "2025-09-01"}, "c").argv
    assert told[-2:] == ("--date", "2025-09-01")
    assert "--date" not in shop_service(layout, {}, "c").argv


@pytest.mark.parametrize("value", ["0", "-1", "soon"])
def test_a_start_limit_that_is_none_is_refused(value: str) -> None:
    with pytest.raises(SupervisorError, match="KINDLING_START_SECONDS=") as caught:
        from_environment({"KINDLING_START_SECONDS": value})
    assert caught.value.exit_code == 2


def test_ctrl_c_is_heard_by_a_command_that_a_shell_put_into_the_background() -> None:
    # Such a shell starts it with SIGINT ignored, and Python then installs no handler.
    program = (
        "import os, signal, sys\n"
        "from kindling_local import __main__ as entry\n"
        "assert signal.getsignal(signal.SIGINT) == signal.SIG_IGN\n"
        "entry.commands.status = lambda *_: os.kill(os.getpid(), signal.SIGINT) or 0\n"
        "sys.exit(entry.main(['status']))\n"
    )
    include = str(Path(entry.__file__).parents[1])
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONPATH": include},
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == entry.EXIT_INTERRUPTED, done.stderr
    assert "interrupted" in done.stderr


def test_an_error_of_the_product_is_told_with_all_its_lines() -> None:
    program = (
        "import sys; sys.stderr.write('a warning\\n"
        "kindling recipe: mine.yaml: while parsing\\n  line 3\\n    ^\\n'); sys.exit(2)"
    )
    code, _, said = preparation.output_of(
        (sys.executable, "-c", program), os.environ, Path("/")
    )
    assert code == 2
    assert said == "kindling recipe: mine.yaml: while parsing\n  line 3\n    ^"


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ("", ["DATA is not given", "clothing/reviews.csv.gz"]),
        ("/no/such", ["DATA=/no/such", "reviews.csv.gz is missing"]),
    ],
)
def test_data_that_a_catalogue_needs_is_asked_for_before_anything_starts(
    data: str, words: list[str], repository: Path, tmp_path: Path
) -> None:
    with pytest.raises(SupervisorError) as caught:
        startup.require_data(Layout(repository, tmp_path, {}), "clothing", data)
    assert caught.value.exit_code == 2
    assert all(word in str(caught.value) for word in words)


def test_a_bundled_catalogue_needs_none(repository: Path, tmp_path: Path) -> None:
    startup.require_data(Layout(repository, tmp_path, {}), "bundled-smoke", "")


def test_a_second_command_knows_the_ports_of_the_first(layout: Layout) -> None:
    said: list[str] = []
    first = {name: port + 1000 for name, port in layout.ports.items()}
    save(layout.state, State(command="up", ports=first))
    found = commands._as_it_runs(layout, said.append)
    assert dict(found.ports) == first and "other ports" in said[0]
    said.clear()
    assert commands._as_it_runs(found, said.append) == found and not said


def test_the_environment_of_a_stage_is_a_file_that_a_shell_reads(
    layout: Layout,
) -> None:
    odd = {"KINDLING_OBJECTS_URL": "file:///one two&'50%'", "KINDLING_RECIPE": "demo"}
    environment.write_for_a_shell(layout, odd)
    read = subprocess.run(
        ["sh", "-c", f'. "{layout.environment}"; printf %s "$KINDLING_OBJECTS_URL"'],
        capture_output=True,
        text=True,
        check=True,
    )
    assert read.stdout == odd["KINDLING_OBJECTS_URL"]
    assert layout.environment.stat().st_mode & 0o077 == 0


def shown(layout: Layout) -> tuple[int, str]:
    console, output = text_console()
    return status.print_status(console, layout), output.getvalue()


def test_status_names_a_dead_postgres_and_not_its_neighbours(
    layout: Layout, launch: Launch, monkeypatch: pytest.MonkeyPatch
) -> None:
    launch("mlflow", "plain")
    monkeypatch.setattr(status, "health_of", lambda *_: lambda: "answers 500")
    code, text = shown(layout)
    assert code == status.SOME_ILL
    (row,) = [line for line in text.splitlines() if " postgres " in f" {line} "][:1]
    assert "gone" in row
    assert "answers 500" not in text and "waits for postgres" in text


def test_status_blames_the_api_server_alone_when_it_is_dead(
    layout: Layout, launch: Launch, monkeypatch: pytest.MonkeyPatch
) -> None:
    dead = launch("api-server", "plain")
    launch("scheduler", "plain")
    dead.kill()
    dead.wait(5)
    here = psutil.Process()
    monkeypatch.setattr(status.postgres, "find", lambda folder: here)
    monkeypatch.setattr(status.postgres, "ready", lambda folder: "")
    monkeypatch.setattr(status.postgres, "socket_dir", lambda folder: folder)
    monkeypatch.setattr(status, "health_of", lambda *_: lambda: "no answer")
    code, text = shown(layout)
    assert code == status.SOME_ILL
    # The table folds long cells.
    row = text[text.index("api-server") : text.index("scheduler")]
    assert text.count("gone") == 1 and "gone" in row
    assert "only the api-server could tell more" in text and "no answer" not in text
    assert str(layout.environment) in text
