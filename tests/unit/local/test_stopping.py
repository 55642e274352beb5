"""Nothing is left, whatever the processes do about it, and the order is the one that leaves no orphan."""

import errno
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from kindling_local import stopping
from kindling_local.layout import Layout
from kindling_local.state import load, save

from .conftest import lines

Launch = Callable[..., psutil.Process]


def stop(layout: Layout, grace_s: float = 5) -> tuple[list[str], list[str]]:
    said: list[str] = []
    return stopping.stop_all(layout, said.append, grace_s), said


def gone(*processes: psutil.Process) -> bool:
    return not any(
        one.is_running() and one.status() != psutil.STATUS_ZOMBIE for one in processes
    )


def test_nothing_to_stop(layout: Layout) -> None:
    assert stop(layout) == ([], [])


def test_order(layout: Layout, launch: Launch, journal: Path) -> None:
    processes = [
        launch(name, "plain")
        for name in ("shop", "api-server", "dag-processor", "scheduler", "inference")
    ]
    stopped, _ = stop(layout)
    assert gone(*processes)
    told = [line for line in lines(journal) if not line.startswith("up ")]
    assert set(told[:2]) == {"scheduler", "dag-processor"}
    assert set(told[2:]) == {"api-server", "inference", "shop"}
    assert set(stopped) == set(told)
    assert load(layout.state).services == {}


def test_a_process_that_ignores_term_is_killed(layout: Layout, launch: Launch) -> None:
    deaf = launch("shop", "deaf", "child", "deaf")
    tree = [deaf, *deaf.children(recursive=True)]
    _, said = stop(layout, grace_s=0.5)
    assert gone(*tree)
    assert "shop stopped (2 of its processes by force)" in said


def test_tasks_end_before_the_scheduler_that_would_wait_for_them(
    layout: Layout, launch: Launch, journal: Path
) -> None:
    # As Airflow: the scheduler waits for its worker, that for its task runner, and only TERM to the
    # runner itself, which is in a session of its own, ends the stage.
    scheduler = launch(
        "scheduler", "waits", "worker", "follows", "runner", "own kills", "stage", "own"
    )
    tree = [scheduler, *scheduler.children(recursive=True)]
    assert len({os.getsid(one.pid) for one in tree}) == 3
    _, said = stop(layout, grace_s=10)
    assert gone(*tree)
    told = [line for line in lines(journal) if not line.startswith("up ")]
    assert {"runner", "stage"} <= set(told), (
        "the runner has to be told, so that it ends its stage"
    )
    assert "worker" not in told
    assert said == ["scheduler stopped"], "nothing of it by force"


def test_deaf_task_does_not_outlive_the_scheduler(
    layout: Layout, launch: Launch
) -> None:
    scheduler = launch(
        "scheduler",
        "waits",
        "worker",
        "follows",
        "runner",
        "own deaf",
        "stage",
        "own deaf",
    )
    tree = [scheduler, *scheduler.children(recursive=True)]
    stop(layout, grace_s=0.5)
    assert gone(*tree)


def test_a_full_disk_keeps_nothing_running(
    layout: Layout, launch: Launch, monkeypatch: pytest.MonkeyPatch
) -> None:
    process = launch("shop", "plain")

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(stopping, "save", full)
    stop(layout)
    assert gone(process)


def test_after_a_crash_without_a_state_file(layout: Layout, launch: Launch) -> None:
    process = launch("api-server", "plain", "child", "plain")
    tree = [process, *process.children(recursive=True)]
    layout.state.unlink()
    stopped, _ = stop(layout)
    assert gone(*tree)
    assert len(stopped) == 2


def test_orphaned_stage_is_known_by_its_stores(
    layout: Layout, stray: Callable[..., subprocess.Popen[bytes]], tmp_path: Path
) -> None:
    stage = stray(env={"KINDLING_KEYWORDS_DIR": str(layout.keywords)}, cwd=tmp_path)
    other = stray(
        env={"KINDLING_KEYWORDS_DIR": str(tmp_path / "elsewhere")}, cwd=layout.var
    )
    stop(layout)
    assert stage.poll() is not None
    assert other.poll() is None, (
        "another installation's process, or a person's in our folder, is left alone"
    )


def test_the_callers_own_family_is_left_alone(layout: Layout) -> None:
    # A caller that stands in our folder, with our environment: `make down` from a script.
    program = (
        "import sys; from pathlib import Path; from kindling_local import layout, stopping\n"
        "one = layout.Layout(Path('/'), Path(sys.argv[1]), {})\n"
        "assert stopping.leftovers(one) == []; print('alive')"
    )
    environment = {
        **os.environ,
        "KINDLING_KEYWORDS_DIR": str(layout.keywords),
        "PYTHONPATH": str(Path(stopping.__file__).parents[2]),
    }
    shell = [
        "sh",
        "-c",
        '"$@"; exit $?',
        "sh",
        sys.executable,
        "-c",
        program,
        str(layout.var),
    ]
    done = subprocess.run(
        shell,
        cwd=layout.processes,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "alive\n"), done.stderr


def test_pid_of_somebody_else_is_not_signalled(layout: Layout, launch: Launch) -> None:
    # The recorded process is gone and its pid is now another's: told by the start time.
    process = launch("shop", "plain")
    text = layout.state.read_text()
    created = load(layout.state).services["shop"].created
    layout.state.write_text(text.replace(str(created), str(created - 3600)))
    assert (
        stopping.stop_services(
            layout, load(layout.state), ("shop",), 1, lambda line: None
        )
        == []
    )
    assert process.is_running()


def test_what_the_watcher_started_again_ends_in_its_own_turn(
    layout: Layout, launch: Launch, journal: Path
) -> None:
    # A service that it has started again is its child: it must not go down with it by force.
    watcher = launch("watcher", "leaves", "scheduler", "plain")
    (scheduler,) = watcher.children()
    state = load(layout.state)
    entry = replace(
        state.services["watcher"],
        name="scheduler",
        pid=scheduler.pid,
        created=scheduler.create_time(),
    )
    state.services["scheduler"] = entry
    save(layout.state, state)
    stopped, said = stop(layout)
    assert stopped[:2] == ["watcher", "scheduler"]
    assert said[:2] == ["watcher stopped", "scheduler stopped"]
    told = [line for line in lines(journal) if not line.startswith("up ")]
    assert told == ["watcher", "scheduler"]
    assert gone(watcher, scheduler)
