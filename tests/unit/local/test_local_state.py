"""The state file, the lock, and the services' own start and failure."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from kindling_local import preparation, services, state
from kindling_local.errors import SupervisorError
from kindling_local.layout import Layout
from kindling_local.lock import holder, holding

from .conftest import wait_until

Launch = Callable[..., psutil.Process]


def test_state_comes_back_as_it_was(tmp_path: Path) -> None:
    entry = state.Entry("shop", 17, 1.5, "http://127.0.0.1:1", "shop.log", 2.5)
    kept = state.State("up", "demo", "bundled-demo", {"shop": entry})
    state.save(tmp_path / "state.json", kept)
    assert state.load(tmp_path / "state.json") == kept
    assert state.load(tmp_path / "none.json") == state.State()


def test_state_cut_off_by_a_full_disk_is_no_state(tmp_path: Path) -> None:
    (tmp_path / "state.json").write_text('{"command": "up", "serv')
    assert state.load(tmp_path / "state.json") == state.State()


def test_process_is_gone_when_it_ended_or_its_pid_is_reused(
    layout: Layout, launch: Launch
) -> None:
    process = launch("shop", "plain")
    entry = state.load(layout.state).services["shop"]
    assert state.process(entry) == process
    assert (
        state.process(state.Entry("shop", entry.pid, entry.created - 60, "", ""))
        is None
    )
    process.kill()
    process.wait()
    assert state.process(entry) is None


HOLD = """
import sys, time; from pathlib import Path; from kindling_local.lock import holding
with holding(Path(sys.argv[1]), "run"):
    print("held", flush=True); time.sleep(60)
"""


def test_second_holder_is_told_who_has_the_lock_until_that_one_dies(
    tmp_path: Path,
) -> None:
    path = tmp_path / "lock"
    environment = {**os.environ, "PYTHONPATH": str(Path(state.__file__).parents[2])}
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path)], env=environment, stdout=subprocess.PIPE
    ) as other:
        assert other.stdout is not None and other.stdout.readline() == b"held\n"
        assert holder(path) == other.pid
        with (
            pytest.raises(
                SupervisorError,
                match=rf"another run holds .*pid {other.pid} \(make run\)",
            ),
            holding(path, "up"),
        ):
            pass
        os.kill(other.pid, signal.SIGKILL)
    assert holder(path) is None
    with holding(path, "up"):
        assert holder(path) == os.getpid()


def service(
    layout: Layout, program: str, healthy: Callable[[], str], timeout_s: float = 30
) -> services.Service:
    return services.Service(
        "shop",
        (sys.executable, "-c", program),
        {},
        layout.log("shop"),
        "",
        healthy,
        timeout_s,
    )


def test_service_that_ends_while_starting_shows_its_log(layout: Layout) -> None:
    one = service(layout, "print('the reason'); raise SystemExit(3)", lambda: "not yet")
    with pytest.raises(
        SupervisorError,
        match=r"shop ended while starting; the end of .*shop\.log:\nthe reason",
    ):
        services.wait_healthy(
            [one],
            {"shop": services.start(one, layout.processes, False)},
            lambda *_: None,
        )


def test_service_that_stays_ill_names_what_is_missing(
    layout: Layout, launch: Launch
) -> None:
    launch("shop", "plain")
    one = service(layout, "", lambda: "no heartbeat", timeout_s=0.5)
    with pytest.raises(
        SupervisorError, match=r"shop is not healthy after 0 s \(no heartbeat\)"
    ):
        services.wait_healthy([one], state.load(layout.state).services, lambda *_: None)


def test_last_log_is_kept_beside_the_new_one(layout: Layout) -> None:
    layout.log("shop").write_text("yesterday")
    one = service(layout, "print('today')", lambda: "")
    entry = services.start(one, layout.processes, with_parent=False)
    wait_until(lambda: "today" in layout.log("shop").read_text())
    assert layout.log("shop").with_suffix(".log.1").read_text() == "yesterday"
    psutil.Process(entry.pid).wait(5)


@pytest.mark.skipif(
    sys.platform != "linux", reason="only Linux tells a child of its parent's death"
)
def test_service_of_a_run_ends_with_a_killed_supervisor(layout: Layout) -> None:
    program = (
        "import sys, time; from pathlib import Path; from kindling_local import services\n"
        "argv = (sys.executable, '-c', 'import time; time.sleep(60)')\n"
        "one = services.Service('shop', argv, {}, Path(sys.argv[1]), '', lambda: '')\n"
        "print(services.start(one, Path('/'), with_parent=True).pid, flush=True); time.sleep(60)"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(state.__file__).parents[2])}
    with subprocess.Popen(
        [sys.executable, "-c", program, str(layout.log("shop"))],
        env=environment,
        stdout=subprocess.PIPE,
    ) as supervisor:
        assert supervisor.stdout is not None
        child = psutil.Process(int(supervisor.stdout.readline()))
        supervisor.kill()
    wait_until(lambda: not child.is_running() or child.status() == psutil.STATUS_ZOMBIE)


def job(
    layout: Layout, program: str, done: Callable[[], None] = lambda: None
) -> preparation.Job:
    return preparation.Job(
        "catalogue",
        (sys.executable, "-c", program),
        {},
        layout.processes,
        layout.log("catalogue"),
        done,
    )


def test_failed_preparation_gives_its_last_words_and_exit_code(layout: Layout) -> None:
    done: list[int] = []
    with (
        pytest.raises(
            SupervisorError, match=r"catalogue failed \(exit code 2\).*\nno such folder"
        ) as caught,
        job(
            layout,
            "print('no such folder'); raise SystemExit(2)",
            lambda: done.append(1),
        ) as one,
    ):
        one.wait()
    assert caught.value.exit_code == 2
    assert not done, "a failed migration must not be noted as done"


def test_preparation_does_not_outlive_its_block(layout: Layout) -> None:
    begun = time.monotonic()
    with job(layout, "import time; time.sleep(60)") as one:
        process = psutil.Process(one._process.pid)  # type: ignore[union-attr]
    assert not process.is_running()
    assert time.monotonic() - begun < 10
