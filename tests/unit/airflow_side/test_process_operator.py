"""A stage as a child process: what goes in, what comes out, and that nothing stays behind."""

import json
import os
import signal
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest
from airflow.sdk.exceptions import (
    AirflowException,
    AirflowFailException,
    AirflowRescheduleException,
    AirflowTaskTimeout,
)

from kindling_airflow.process_group import end_group, launch, lines
from kindling_airflow.process_operator import StageProcessOperator

StandIn = Callable[[str], StageProcessOperator]

REPORT = """
import json, os
with open(os.environ["KINDLING_REPORT_PATH"], "w") as file:
    json.dump({"stage": "dedupe", "rows_in": 3, "argv": sys.argv[1:]}, file)
"""


@pytest.fixture(autouse=True)
def short_grace(monkeypatch: pytest.MonkeyPatch) -> None:
    # Where nothing reaps orphans (a container without an init), a dead group takes the whole grace to go.
    monkeypatch.setattr(end_group, "__defaults__", (1.0,))


@pytest.fixture
def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StandIn:
    """An operator whose interpreter is a script: the real command line, a stage of the test's own."""

    def made(body: str) -> StageProcessOperator:
        script = tmp_path / "python"
        script.write_text(f"#!{sys.executable}\nimport sys\n{body}")
        script.chmod(script.stat().st_mode | stat.S_IXUSR)
        monkeypatch.setenv("KINDLING_PYTHON", str(script))
        arguments = ["-m", "kindling", "dedupe"]
        return StageProcessOperator(
            task_id="dedupe", stage="dedupe", arguments=arguments
        )

    return made


def _wait_for(condition: Callable[[], Any], seconds: float = 10) -> Any:
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, "it never came to that"
        time.sleep(0.02)
    return value


def _number(path: Path) -> int:
    return int(_wait_for(lambda: path.exists() and path.read_text()))


def _gone(pid: int) -> bool:
    return (
        not psutil.pid_exists(pid)
        or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    )


def test_report_is_returned_and_lines_are_logged(
    stand_in: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    log = SimpleNamespace(
        info=lambda text, *values: said.append(text % values), warning=lambda _: None
    )
    monkeypatch.setattr(StageProcessOperator, "log", log)
    body = "print('to stdout')\nprint('zu stderr: ü', file=sys.stderr)\nsys.stdout.write('no end')"
    report = stand_in(REPORT + body).execute({})
    assert report == {
        "stage": "dedupe",
        "rows_in": 3,
        "argv": ["-m", "kindling", "dedupe"],
    }
    assert {"to stdout", "zu stderr: ü", "no end"} <= set(said)


def test_lines_come_while_the_stage_runs() -> None:
    program = "import time; print('first', flush=True); time.sleep(30)"
    process = launch([sys.executable, "-c", program], os.environ, Path("/"))
    started = time.monotonic()
    assert next(stream := lines(process)) == "first"
    assert time.monotonic() - started < 10 and process.poll() is None
    end_group(process)
    assert list(stream) == []


@pytest.mark.parametrize(
    ("body", "final", "message"),
    [
        ("sys.exit(75)", False, "75"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", False, "SIGKILL"),
        ("sys.exit(1)", True, "ended with 1"),
        ("sys.exit(2)", True, "ended with 2"),
        ("sys.exit(3)", True, "ended with 3"),
        ("pass", True, "no report"),
        (REPORT.replace("dedupe", "label"), True, "not this stage's"),
        (
            "import os; open(os.environ['KINDLING_REPORT_PATH'], 'w').write('{\"stage\": ')",
            True,
            "not JSON",
        ),
        (
            "import os; open(os.environ['KINDLING_REPORT_PATH'], 'w').write('x' * 60_000)",
            True,
            "60000 bytes",
        ),
    ],
)
def test_how_it_ends_decides_about_a_retry(
    stand_in: StandIn, body: str, final: bool, message: str
) -> None:
    with pytest.raises(AirflowException, match=message) as raised:
        stand_in(body).execute({})
    assert isinstance(raised.value, AirflowFailException) is final


def test_a_report_of_a_failed_stage_is_no_result(stand_in: StandIn) -> None:
    with pytest.raises(AirflowFailException):
        stand_in(REPORT + "sys.exit(3)").execute({})


def test_environment_is_an_allow_list(
    stand_in: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in (
        "AIRFLOW__API_AUTH__JWT_SECRET",
        "AIRFLOW_CONN_DB",
        "OTHER_TOKEN",
        "KINDLING_RUNTIME",
    ):
        monkeypatch.setenv(name, "secret")
    monkeypatch.setenv("KINDLING_DATABASE_URL", "postgresql://db")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://s3")
    monkeypatch.setenv("KINDLING_SHOP_URL", "")
    body = REPORT.replace('"argv": sys.argv[1:]', '"env": dict(os.environ)')
    seen = stand_in(body).execute({})["env"]
    assert (
        seen["KINDLING_DATABASE_URL"] == "postgresql://db"
        and seen["AWS_ENDPOINT_URL"] == "http://s3"
    )
    assert seen["PATH"] == os.environ["PATH"] and seen["PYTHONUNBUFFERED"] == "1"
    assert "KINDLING_SHOP_URL" not in seen
    assert "secret" not in seen.values()
    assert not [name for name in seen if name.startswith("AIRFLOW")]


@pytest.fixture
def spoken_to() -> Iterator[None]:
    """A task whose stdin has something to say, as the socket to its supervisor does."""
    kept, (reader, writer) = os.dup(0), os.pipe()
    os.write(writer, b"a message for the task")
    os.close(writer)
    os.dup2(reader, 0)
    yield
    os.dup2(kept, 0)
    os.close(kept)
    os.close(reader)


def test_stdin_is_empty_and_the_folder_is_its_own(
    stand_in: StandIn, spoken_to: None
) -> None:
    seen = '"stdin": sys.stdin.read(), "folder": os.getcwd(), "held": os.listdir()'
    report = stand_in(REPORT.replace('"argv": sys.argv[1:]', seen)).execute({})
    assert report["stdin"] == "" and report["held"] == ["return.json"]
    assert not Path(report["folder"]).exists()


def _family(tmp_path: Path, child: str) -> str:
    """A stage that starts a child of its own; both write their pids, the child when it is ready."""
    write = f"open({str(tmp_path / 'child')!r}, 'w').write(str(os.getpid()))"
    ready = f"{child}; import os; {write}; time.sleep(60)"
    return (
        "import os, subprocess, time\n"
        f"subprocess.Popen([{sys.executable!r}, '-c', {ready!r}])\n"
        f"while not os.path.exists({str(tmp_path / 'child')!r}): time.sleep(0.02)\n"
        f"open({str(tmp_path / 'stage')!r}, 'w').write(str(os.getpid()))\n"
    )


@pytest.mark.parametrize(
    "child",
    [
        "import time",
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN)",
    ],
    ids=["willing", "deaf to TERM"],
)
def test_on_kill_ends_the_whole_group(
    stand_in: StandIn, tmp_path: Path, child: str
) -> None:
    operator, ended = stand_in(_family(tmp_path, child) + "time.sleep(60)"), []

    def run() -> None:
        try:
            operator.execute({})
        except AirflowException as error:
            ended.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    pids = [_number(tmp_path / "stage"), _number(tmp_path / "child")]
    started = time.monotonic()
    operator.on_kill()
    thread.join(10)
    assert all(_gone(pid) for pid in pids)
    assert time.monotonic() - started < 5
    assert ended and not isinstance(ended[0], AirflowFailException)


def test_an_orphan_that_holds_the_pipe_holds_nothing_up(
    stand_in: StandIn, tmp_path: Path
) -> None:
    started = time.monotonic()
    stand_in(_family(tmp_path, "import time") + REPORT).execute({})
    assert time.monotonic() - started < 10
    assert _gone(_number(tmp_path / "child"))


def test_a_timeout_ends_the_stage(stand_in: StandIn, tmp_path: Path) -> None:
    # Airflow's timeout raises out of a signal handler, and is a BaseException.
    def raises(*_: object) -> None:
        raise AirflowTaskTimeout

    before = signal.signal(signal.SIGALRM, raises)
    signal.setitimer(signal.ITIMER_REAL, 4.0)  # The stage and its child are up by then.
    try:
        with pytest.raises(AirflowTaskTimeout):
            stand_in(_family(tmp_path, "import time") + "time.sleep(60)").execute({})
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert _gone(_number(tmp_path / "stage")) and _gone(_number(tmp_path / "child"))


def test_on_kill_from_a_signal_in_the_task_itself(
    stand_in: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    # That is how Airflow calls it: in the main thread, in the middle of execute(), here of its last wait.
    monkeypatch.setattr(end_group, "__defaults__", (6.0,))
    operator, took = (
        stand_in("import os, time; os.close(1); os.close(2); time.sleep(60)"),
        [],
    )

    def on_term(*_: object) -> None:
        started = time.monotonic()
        operator.on_kill()
        took.append(time.monotonic() - started)

    before = signal.signal(signal.SIGALRM, on_term)
    signal.setitimer(signal.ITIMER_REAL, 1.0)
    try:
        # The stage is not to blame: it goes on later, and loses none of its tries.
        with pytest.raises(AirflowRescheduleException):
            operator.execute({})
    finally:
        signal.signal(signal.SIGALRM, before)
    assert took[0] < 4


@pytest.mark.skipif(
    sys.platform != "linux", reason="only Linux tells a child that its parent died"
)
def test_stage_dies_with_a_task_that_is_killed(tmp_path: Path) -> None:
    stage = f"import os, time; open({str(tmp_path / 'stage')!r}, 'w').write(str(os.getpid())); time.sleep(60)"
    task = (
        "import os, pathlib, sys\nfrom kindling_airflow.process_group import launch\n"
        f"launch([sys.executable, '-c', {stage!r}], os.environ, pathlib.Path('/')).wait()"
    )
    include = str(Path(__file__).parents[3] / "include")
    parent = subprocess.Popen(
        [sys.executable, "-c", task], env={**os.environ, "PYTHONPATH": include}
    )
    pid = _number(tmp_path / "stage")
    parent.kill()
    parent.wait()
    _wait_for(lambda: _gone(pid), 5)


def test_output_without_line_ends_is_cut() -> None:
    program = "import sys; sys.stdout.write('x' * 300_000)"
    process = launch([sys.executable, "-c", program], os.environ, Path("/"))
    pieces = list(lines(process))
    assert "".join(pieces) == "x" * 300_000 and len(pieces) > 2
    assert max(map(len, pieces)) <= 2 * 64 * 1024


def test_report_survives_json(stand_in: StandIn) -> None:
    assert json.loads(json.dumps(report := stand_in(REPORT).execute({}))) == report
