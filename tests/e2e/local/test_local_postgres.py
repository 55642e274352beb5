"""The embedded PostgreSQL: comes back from kill -9 with its rows, and is never taken for another process."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from kindling_local import postgres


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "postgres"
    postgres.stop(tmp_path / "postgres")


def test_survives_kill_9_and_a_pid_file_of_somebody_else(folder: Path) -> None:
    first = postgres.start(folder)
    assert postgres.start(folder) == first, "a running server is used"
    assert postgres.ready(folder) == ""
    postgres.make_databases(folder)
    postgres.make_databases(folder)
    postgres.set_stamp(folder, "airflow", "3.3.2")
    with postgres.connect(folder, "kindling") as connection:
        connection.execute("CREATE TABLE kept AS SELECT 17 AS value")

    os.kill(first.pid, signal.SIGKILL)
    psutil.wait_procs([first], timeout=10)
    assert postgres.find(folder) is None
    postgres.start(folder)
    with postgres.connect(folder, "kindling") as connection:
        assert connection.execute("SELECT value FROM kept").fetchone() == (17,)
    assert (postgres.stamp(folder, "airflow"), postgres.stamp(folder, "mlflow")) == (
        "3.3.2",
        "",
    )

    assert postgres.stop(folder) is True
    assert postgres.stop(folder) is False
    # After a reboot the recorded pid may be anybody's: here it is this very test.
    (folder / "postmaster.pid").write_text(
        f"{os.getpid()}\n{folder}\n1\n5432\n{folder}\n\n1 1\nready\n"
    )
    assert postgres.find(folder) is None
    assert postgres.start(folder).pid != os.getpid()
    assert postgres.ready(folder) == ""


def test_path_longer_than_a_sockets_may_be(tmp_path: Path) -> None:
    deep = tmp_path / ("a" * 60) / ("b" * 60) / "postgres"
    deep.parent.mkdir(parents=True)
    postgres.start(deep)
    try:
        assert postgres.ready(deep) == ""
    finally:
        assert postgres.stop(deep)
