"""Where everything of one supervised installation is: its folders under `var/`, its ports on loopback."""

import os
import shutil
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from kindling_local.errors import SupervisorError

HOST = "127.0.0.1"
#: Service -> default port; each has an environment name to change it.
PORTS = {"airflow": 8080, "inference": 8000, "mlflow": 5000, "shop": 8090}
MIN_FREE_GIB = 2.0
#: Seconds that a service is given to become healthy.
START = "KINDLING_START_SECONDS"
START_S = 300.0


@dataclass(frozen=True)
class Layout:
    """Paths and ports. `var` is absolute and free of links, since processes are recognised by it."""

    root: Path
    var: Path
    ports: Mapping[str, int]
    start_s: float = START_S

    @property
    def postgres(self) -> Path:
        return self.var / "postgres"

    @property
    def objects(self) -> Path:
        return self.var / "objects"

    @property
    def keywords(self) -> Path:
        return self.var / "keywords"

    @property
    def airflow(self) -> Path:
        return self.var / "airflow"

    @property
    def logs(self) -> Path:
        return self.var / "logs"

    @property
    def task_logs(self) -> Path:
        return self.airflow / "logs"

    @property
    def state(self) -> Path:
        return self.var / "state.json"

    @property
    def lock(self) -> Path:
        return self.var / "lock"

    @property
    def secrets(self) -> Path:
        return self.var / "secrets.json"

    @property
    def environment(self) -> Path:
        """What a stage needs, as a file for a person's shell."""
        return self.var / "environment.sh"

    @property
    def passwords(self) -> Path:
        return self.airflow / "passwords.json"

    @property
    def processes(self) -> Path:
        """The empty folder that every service stands in: what `down` knows them by after a crash.

        An environment variable would not do: Airflow's processes overwrite theirs with a title.
        """
        return self.var / "processes"

    def catalogue(self, kind: str) -> Path:
        return self.var / "catalogues" / kind

    def log(self, service: str) -> Path:
        return self.logs / f"{service}.log"

    def url(self, service: str) -> str:
        return f"http://{HOST}:{self.ports[service]}"

    def make(self) -> None:
        """Make the folders; SupervisorError when `var` cannot be made or written."""
        try:
            for folder in (
                self.var,
                self.objects,
                self.keywords,
                self.airflow,
                self.logs,
                self.processes,
                self.catalogue(""),
            ):
                folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise SupervisorError(
                f"{error.filename}: {error.strerror}; KINDLING_VAR names another folder"
            ) from error


def from_environment(environment: Mapping[str, str] = os.environ) -> Layout:
    """The layout that KINDLING_VAR and KINDLING_PORT_* ask for, or the defaults."""
    root = Path(__file__).resolve().parents[2]
    var = Path(environment.get("KINDLING_VAR") or root / "var").expanduser().resolve()
    ports = {service: _port(environment, service) for service in PORTS}
    return Layout(root, var, ports, _start_s(environment))


def port_name(service: str) -> str:
    """Environment name of a service's port."""
    return f"KINDLING_PORT_{service.upper()}"


def _port(environment: Mapping[str, str], service: str) -> int:
    value = environment.get(port_name(service)) or str(PORTS[service])
    if not value.isdigit() or not 1 <= int(value) <= 65535:
        raise SupervisorError(
            f"{port_name(service)}={value!r}; a port from 1 to 65535 is wanted",
            exit_code=2,
        )
    return int(value)


def _start_s(environment: Mapping[str, str]) -> float:
    value = environment.get(START) or f"{START_S:.0f}"
    if not value.isdigit() or int(value) < 1:
        raise SupervisorError(
            f"{START}={value!r}; a whole number of seconds from 1 is wanted",
            exit_code=2,
        )
    return float(value)


def require_free_ports(layout: Layout, services: Sequence[str]) -> None:
    """SupervisorError that names every port of these services that something else listens on."""
    wanted = [layout.ports[service] for service in services]
    if len(set(wanted)) < len(wanted):
        raise SupervisorError(
            f"two services want one port: {dict(layout.ports)}", exit_code=2
        )
    taken = [service for service in services if not _is_free(layout.ports[service])]
    if taken:
        raise SupervisorError(
            "; ".join(
                f"port {layout.ports[service]} ({service}) is taken{_holder(layout.ports[service])}; "
                f"free it, or choose another: {port_name(service)}=…"
                for service in taken
            )
        )


def require_free_space(layout: Layout, min_gib: float = MIN_FREE_GIB) -> None:
    """SupervisorError when the disk of `var` has less left than a run writes."""
    free = shutil.disk_usage(layout.var).free / 2**30
    if free < min_gib:
        raise SupervisorError(
            f"{layout.var}: {free:.1f} GiB free, {min_gib:.0f} GiB are wanted; "
            "make room, or put it on another disk: KINDLING_VAR=…"
        )


def _is_free(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # As servers do: a port whose last connection is in TIME_WAIT is free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def _holder(port: int) -> str:
    try:
        listening = [
            one
            for one in psutil.net_connections("tcp")
            if one.status == psutil.CONN_LISTEN
        ]
    except psutil.AccessDenied:  # macOS shows other processes' sockets to root only.
        return ""
    for connection in listening:
        # A listening socket has an address; psutil's type allows for others that have none.
        if connection.laddr and connection.laddr.port == port and connection.pid:
            try:
                return f" by pid {connection.pid} ({psutil.Process(connection.pid).name()})"
            except psutil.NoSuchProcess:
                return ""
    return ""
