"""A cluster, the stores its pods reach, and an Airflow beside it: real ones, for tests and the bench.

Told by its environment, which `.ci/test-kubernetes` sets:

    KUBECONFIG               the cluster
    KINDLING_TEST_LOAD       a command that brings the images it is given into the cluster
    KINDLING_TEST_HOST       this machine's address as pods see it
    DOCKER                   the client of a Docker Engine, which the stores run in
"""

import contextlib
import functools
import json
import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import httpx
import psycopg
from kubernetes import client as k8s
from kubernetes import config

from kindling_airflow import settings_file

Found = TypeVar("Found")

ROOT = Path(__file__).resolve().parents[2]
NAMESPACE = "kindling"
VERSION = "0.1.0"
PIPELINE = f"kindling:{VERSION}"
TRAIN = f"kindling-train:{VERSION}"
SHOP = f"kindling-shop:{VERSION}"
AIRFLOW = f"kindling-airflow:{VERSION}"
#: What the faults' pods run: Python and nothing else, so that a case takes seconds.
BARE = "python:3.11-slim-bookworm"
PASSWORD = "not-a-secret-of-anybody"
BUCKET = "kindling"


def needed(name: str) -> str:
    """The value of a variable that the lane cannot do without."""
    value = os.environ.get(name, "")
    if not value:
        raise RuntimeError(f"{name} is not set; run: make test-kubernetes")
    return value


def until(
    what: str, look: Callable[[], Found | None], seconds: float, pause: float = 0.3
) -> Found:
    """What `look` finds, once it finds something; AssertionError after `seconds`."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if (found := look()) is not None:
            return found
        time.sleep(pause)
    raise AssertionError(f"not within {seconds:.0f} s: {what}")


def docker(*arguments: str) -> str:
    """Output of the Docker client."""
    argv = [os.environ.get("DOCKER") or "docker", *arguments]
    done = subprocess.run(
        argv, cwd=ROOT, capture_output=True, text=True, check=False, timeout=1800
    )
    if done.returncode:
        raise RuntimeError(f"{shlex.join(argv)}: {done.stderr[-3000:]}")
    return done.stdout.strip()


@dataclass(frozen=True)
class Store:
    """A container of a store, published on the address that pods know this machine by."""

    image: str
    port: int
    environment: Mapping[str, str]
    command: Sequence[str] = ()
    entrypoint: str = ""
    volume: str = ""


STORES = {
    "postgres": Store(
        "pgvector/pgvector:pg17",
        5432,
        {
            "POSTGRES_DB": "kindling",
            "POSTGRES_USER": "kindling",
            "POSTGRES_PASSWORD": PASSWORD,
        },
        volume=f"{ROOT}/containers/compose/databases.sql:/docker-entrypoint-initdb.d/databases.sql:ro",
    ),
    "s3": Store(
        "versity/versitygw:latest",
        7070,
        {"ROOT_ACCESS_KEY": "key", "ROOT_SECRET_KEY": PASSWORD},
        (
            "-c",
            f"mkdir -p /data/{BUCKET} && exec versitygw --port :7070 posix /data",
        ),
        "sh",
    ),
    "elasticsearch": Store(
        "elasticsearch:9.5.3",
        9200,
        {
            "discovery.type": "single-node",
            "xpack.security.enabled": "false",
            "ES_JAVA_OPTS": "-Xms512m -Xmx512m",
        },
    ),
    "shop": Store(SHOP, 8080, {"CATALOGUE_KIND": "bundled-smoke"}),
}


@contextlib.contextmanager
def stores(names: Sequence[str]) -> Iterator[dict[str, str]]:
    """`host:port` of each store, once its port is open; all are removed at the end."""
    host, started = needed("KINDLING_TEST_HOST"), []
    try:
        addresses = {}
        for name in names:
            store = STORES[name]
            options = [
                option
                for key, value in store.environment.items()
                for option in ("-e", f"{key}={value}")
            ]
            if store.volume:
                options += ["-v", store.volume]
            if store.entrypoint:
                options += ["--entrypoint", store.entrypoint]
            publish = f"{host}::{store.port}"
            started.append(
                docker(
                    *("run", "-d", "--rm", "-p", publish),
                    *(*options, store.image, *store.command),
                )
            )
            addresses[name] = docker("port", started[-1], str(store.port)).split()[0]
        for name, address in addresses.items():
            look = functools.partial(_answers, name, address)
            until(f"{name} at {address}", look, 180, 1.0)
        yield addresses
    finally:
        for container in started:
            docker("kill", container)


def _answers(name: str, address: str) -> bool | None:
    """Whether it does what it is there for: a port is open long before that."""
    try:
        if name == "postgres":
            # Its own first start makes the databases one by one, `airflow` last.
            psycopg.connect(database(address, "airflow"), connect_timeout=2).close()
        else:
            path = {"elasticsearch": "/_cluster/health", "shop": "/healthz"}
            url = f"http://{address}{path.get(name, '/')}"
            answer = httpx.get(url, timeout=2, trust_env=False)
            if name != "s3" and answer.is_error:
                return None
    except (psycopg.OperationalError, httpx.TransportError):
        return None
    return True


def database(address: str, name: str, driver: str = "") -> str:
    """URL of a database of the PostgreSQL there."""
    return f"postgresql{driver}://kindling:{PASSWORD}@{address}/{name}"


class Cluster:
    """The namespace of the tests; pods of the last test are gone before the next."""

    def __init__(self) -> None:
        config.load_kube_config(needed("KUBECONFIG"))
        self.api = k8s.CoreV1Api()

    def load(self, *images: str) -> None:
        """Bring images of the local Docker into the cluster."""
        subprocess.run(
            [*shlex.split(needed("KINDLING_TEST_LOAD")), *images],
            check=True,
            capture_output=True,
            timeout=1800,
        )

    def make_namespace(self, secret: Mapping[str, str], folder: Path) -> None:
        """Anew, by the commands of the runbook: namespace, Secret, and the role of an Airflow inside."""
        with contextlib.suppress(k8s.ApiException):
            self.api.delete_namespace(NAMESPACE)
        until("no namespace", self._is_gone, 120)
        lines = [f"{name}={value}\n" for name, value in secret.items()]
        (folder / "secret.env").write_text("".join(lines))
        (commands,) = [one for one in _runbook("Pods") if "create namespace" in one]
        subprocess.run(["bash", "-euc", commands], cwd=folder, check=True)
        until("a service account", self._account, 60)

    def _is_gone(self) -> bool | None:
        names = {one.metadata.name for one in self.api.list_namespace().items}
        return None if NAMESPACE in names else True

    def _account(self) -> bool | None:
        accounts = self.api.list_namespaced_service_account(NAMESPACE).items
        return True if any(one.metadata.name == "default" for one in accounts) else None

    def pods(self, run: str = "") -> list[Any]:
        """The product's pods, of one run or of all."""
        selector = "app.kubernetes.io/name=kindling"
        found = self.api.list_namespaced_pod(NAMESPACE, label_selector=selector).items
        if not run:
            return list(found)
        return [pod for pod in found if pod.metadata.labels.get("run_id") == run]

    def pod(self, run: str) -> Any:
        """The run's one pod, once its container runs."""

        def running() -> Any | None:
            pods = [one for one in self.pods(run) if _runs(one)]
            return pods[-1] if pods else None

        return until(f"a running pod of {run}", running, 120)

    def evict(self, name: str) -> None:
        """As `kubectl drain` does."""
        for version in ("policy/v1", "policy/v1beta1"):
            eviction = k8s.V1Eviction(
                api_version=version,
                kind="Eviction",
                metadata=k8s.V1ObjectMeta(name=name, namespace=NAMESPACE),
            )
            try:
                self.api.create_namespaced_pod_eviction(name, NAMESPACE, eviction)
                return
            except k8s.ApiException as error:
                refused = error
        raise refused

    def clear(self) -> None:
        """Delete every pod of the namespace and wait until they are gone."""
        self.api.delete_collection_namespaced_pod(NAMESPACE, grace_period_seconds=1)
        until(
            "an empty namespace",
            lambda: None if self.api.list_namespaced_pod(NAMESPACE).items else "empty",
            90,
        )


def _runbook(heading: str) -> list[str]:
    """The shell blocks of a section of the runbook."""
    text = (ROOT / "include/docs/runbook.md").read_text(encoding="utf-8")
    section = text.split(f"## {heading}\n")[1].split("\n## ")[0]
    return re.findall(r"```sh\n(.*?)```", section, re.DOTALL)


def _runs(pod: Any) -> bool:
    statuses = pod.status.container_statuses or []
    base = [one for one in statuses if one.name == "base"]
    return bool(base and base[0].state.running) and not pod.metadata.deletion_timestamp


class Airflow:
    """An Airflow outside the cluster, as `containers/airflow` runs one: API, scheduler, DAG processor."""

    def __init__(
        self,
        folder: Path,
        dags: Sequence[Path],
        postgres: str,
        product: Mapping[str, str],
    ) -> None:
        self.folder = folder
        (folder / "dags").mkdir()
        for file in dags:
            shutil.copy(file, folder / "dags")
        self.port = _free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        passwords = folder / "passwords.json"
        passwords.write_text(json.dumps({"admin": PASSWORD}))
        url = database(postgres, "airflow", "+psycopg")
        settings = {
            "CORE__DAGS_FOLDER": folder / "dags",
            "CORE__PLUGINS_FOLDER": ROOT / "plugins",
            "CORE__EXECUTOR": "LocalExecutor",
            "CORE__PARALLELISM": 4,
            "CORE__LOAD_EXAMPLES": False,
            "CORE__SIMPLE_AUTH_MANAGER_USERS": "admin:admin",
            "CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": passwords,
            "CORE__EXECUTION_API_SERVER_URL": f"{self.url}/execution/",
            "DATABASE__SQL_ALCHEMY_CONN": url,
            "DATABASE__SQL_ALCHEMY_CONN_ASYNC": url,
            "API__HOST": "127.0.0.1",
            "API__PORT": self.port,
            "API__BASE_URL": self.url,
            "API__SECRET_KEY": uuid.uuid4().hex,
            "API__WORKERS": 1,
            "API_AUTH__JWT_SECRET": uuid.uuid4().hex * 2,
            "DAG_PROCESSOR__REFRESH_INTERVAL": 5,
            "LOGGING__BASE_LOG_FOLDER": folder / "logs",
            "USAGE_DATA_COLLECTION__ENABLED": False,
            "WORKERS__EXECUTION_API_TIMEOUT": 60,
            # Found sooner than the five minutes of production, so that a test can wait for it.
            "SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": 30,
            "SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": 5,
        }
        self.environment = {
            **{
                name: os.environ[name]
                for name in ("PATH", "HOME")
                if name in os.environ
            },
            **product,
            "KUBECONFIG": needed("KUBECONFIG"),
            "NO_PROXY": "*",
            "PYTHONPATH": str(ROOT / "include"),
            "PYTHONUNBUFFERED": "1",
            "AIRFLOW_HOME": str(folder),
            **{f"AIRFLOW__{name}": str(value) for name, value in settings.items()},
        }
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.runs: list[Run] = []
        self.http = httpx.Client(base_url=self.url, timeout=60, trust_env=False)

    def start(self) -> None:
        """Migrate, start the three, and apply airflow_settings.yaml."""
        subprocess.run(
            [sys.executable, "-m", "airflow", "db", "migrate"],
            env=self.environment,
            check=True,
            capture_output=True,
            timeout=600,
        )
        for name in ("api-server", "scheduler", "dag-processor"):
            with (self.folder / f"{name}.log").open("wb") as log:
                self.processes[name] = subprocess.Popen(
                    [sys.executable, "-m", "airflow", name],
                    env=self.environment,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
        until("an API server", self._token, 300, 1.0)
        settings_file.apply(
            settings_file.load(ROOT / "airflow_settings.yaml"), self.call
        )

    def _token(self) -> str | None:
        try:
            body = {"username": "admin", "password": PASSWORD}
            answer = self.http.post("/auth/token", json=body)
        except httpx.TransportError:
            return None
        if answer.is_error:
            return None
        token: str = answer.json()["access_token"]
        self.http.headers["Authorization"] = f"Bearer {token}"
        return token

    def call(
        self, method: str, path: str, body: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        """One request to the REST API; its decoded answer."""
        answer = self.http.request(method, path, json=body)
        answer.raise_for_status()
        return answer.json() if answer.content else {}

    def trigger(self, dag: str, conf: Mapping[str, Any]) -> "Run":
        """Start a run of a DAG, once that is parsed."""
        path = f"/api/v2/dags/{dag}"

        def known() -> bool | None:
            answer = self.http.get(path)
            return None if answer.is_error else True

        until(f"DAG {dag}", known, 120, 1.0)
        self.call("PATCH", path + "?update_mask=is_paused", {"is_paused": False})
        run = f"{dag}-{uuid.uuid4().hex[:8]}"
        self.call(
            "POST",
            f"{path}/dagRuns",
            {"dag_run_id": run, "logical_date": None, "conf": conf},
        )
        self.runs.append(Run(self, dag, run))
        return self.runs[-1]

    def fail_unfinished(self) -> None:
        """End every run, so that none of a test goes on beside the next."""
        for run in self.runs:
            if self.call("GET", run.path)["state"] not in ("success", "failed"):
                run.fail()
        self.runs.clear()

    def stop(self) -> None:
        """End the three and whatever they started."""
        for process in self.processes.values():
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, 15)
        for process in self.processes.values():
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(30)
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, 9)
        self.http.close()


@dataclass(frozen=True)
class Run:
    """One run of a DAG."""

    airflow: Airflow
    dag: str
    id: str

    @property
    def path(self) -> str:
        return f"/api/v2/dags/{self.dag}/dagRuns/{self.id}"

    def task(self, name: str, index: int = -1) -> dict[str, Any]:
        """The task instance as the REST API shows it."""
        part = f"/{index}" if index >= 0 else ""
        return self.airflow.call("GET", f"{self.path}/taskInstances/{name}{part}")

    def tasks(self) -> list[dict[str, Any]]:
        """All of them."""
        answer = self.airflow.call("GET", f"{self.path}/taskInstances")
        found: list[dict[str, Any]] = answer["task_instances"]
        return found

    def reaches(
        self, name: str, states: Sequence[str], seconds: float
    ) -> dict[str, Any]:
        """The task, once it is in one of the states."""

        def look() -> dict[str, Any] | None:
            task = self.task(name)
            return task if task["state"] in states else None

        try:
            return until(f"{name} {'/'.join(states)}", look, seconds)
        except AssertionError as error:
            task = self.task(name)
            log = "\n".join(self.log(name, max(1, task["try_number"]))[-30:])
            raise AssertionError(f"{error}; it is {task['state']}:\n{log}") from None

    def ended(self, seconds: float) -> str:
        """State of the run, once it has ended."""

        def look() -> str | None:
            state = str(self.airflow.call("GET", self.path)["state"])
            return state if state in ("success", "failed") else None

        return until(f"the end of {self.id}", look, seconds, 1.0)

    def fail(self) -> None:
        """As the UI's "mark as failed" does."""
        self.airflow.call("PATCH", self.path, {"state": "failed"})

    def log(self, name: str, attempt: int, index: int = -1) -> list[str]:
        """The attempt's log, an event a line."""
        logs = f"{self.path}/taskInstances/{name}/logs/{attempt}"
        path = f"{logs}?full_content=true&map_index={index}"
        events = self.airflow.call("GET", path)["content"]
        return [str(one.get("event", one)) for one in events if isinstance(one, dict)]

    def process(self, name: str) -> int:
        """Pid of the process that runs the task, this machine's own."""
        task = self.task(name)
        return int(task["pid"])


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port
