"""An Airflow outside the cluster, and one run of a DAG of its."""

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from kindling_airflow import settings_file

from .rig import PASSWORD, ROOT, needed, until
from .stores import database

#: How often a request that only reads is sent before its failure counts.
READS = 4


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
        """One request to the REST API; its decoded answer. One that only reads is sent again where
        a server on a busy machine did not answer: whoever waits has a deadline of its own."""
        for _ in range(READS - 1 if method == "GET" else 0):
            with contextlib.suppress(httpx.TransportError):
                answer = self.http.request(method, path, json=body)
                break
        else:
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
