"""Airflow's REST API v2, as far as one run needs it."""

import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Self

import httpx

from kindling_local.errors import SupervisorError

DAG = "nightly_retraining"
ENDED = frozenset({"success", "failed", "upstream_failed", "skipped", "removed"})
UNFINISHED_RUN = ("queued", "running")
#: How long one question is repeated: an API server that was killed is back within a minute or two.
PATIENCE_S = 240.0
PAUSE_S = 2.0
#: Answers of a server that is not itself at the moment.
_PASSING = frozenset({429, 500, 502, 503, 504})


@dataclass(frozen=True)
class Task:
    """One task instance as it stands. `elapsed_s` is Airflow's own duration once it has ended."""

    name: str
    state: str
    attempt: int
    elapsed_s: float


class AirflowClient:
    """A logged-in client. HTTP errors become SupervisorError with what Airflow said."""

    def __init__(self, url: str, user: str, password: str) -> None:
        self._http = httpx.Client(base_url=url, timeout=30, trust_env=False)
        token = self.call(
            "POST", "/auth/token", {"username": user, "password": password}
        )["access_token"]
        self._http.headers["Authorization"] = f"Bearer {token}"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def call(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        **query: Any,
    ) -> dict[str, Any]:
        """One request; the decoded answer. Repeated for a while when none comes.

        Every request here may be sent twice: a run is triggered under an id that we choose.
        """
        answer = self._answer(method, path, body, query)
        if answer.is_error:
            raise SupervisorError(
                f"Airflow refuses {method} {path} ({answer.status_code}): {_detail(answer)}"
            )
        return answer.json() if answer.content else {}

    def _answer(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None,
        query: Mapping[str, Any],
    ) -> httpx.Response:
        deadline = time.monotonic() + PATIENCE_S
        while True:
            try:
                answer = self._http.request(method, path, json=body, params=query)
                if answer.status_code not in _PASSING or time.monotonic() > deadline:
                    return answer
            except httpx.TransportError as error:
                if time.monotonic() > deadline:
                    raise SupervisorError(
                        f"Airflow does not answer {method} {path} for "
                        f"{PATIENCE_S:.0f} s: {error!r}"
                    ) from error
            time.sleep(PAUSE_S)

    def wait_for_dag(self, parsed_after: float, timeout_s: float = 120) -> None:
        """Wait until the DAG processor has parsed the file since `parsed_after` (Unix time)."""
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            if broken := self.call("GET", "/api/v2/importErrors")["import_errors"]:
                raise SupervisorError(
                    "Airflow cannot import "
                    + "\n".join(
                        f"{one['filename']}:\n{one['stack_trace']}" for one in broken
                    )
                )
            dags = self.call(
                "GET", "/api/v2/dags", dag_id_pattern=DAG, exclude_stale=True
            )["dags"]
            if any(
                datetime.fromisoformat(one["last_parsed_time"]).timestamp()
                >= parsed_after
                for one in dags
            ):
                return
            time.sleep(0.5)
        raise SupervisorError(
            f"Airflow has not parsed the DAG {DAG} within {timeout_s:.0f} s; see dag-processor.log"
        )

    def is_paused(self) -> bool:
        return bool(self.call("GET", f"/api/v2/dags/{DAG}")["is_paused"])

    def set_paused(self, paused: bool) -> None:
        self.call(
            "PATCH",
            f"/api/v2/dags/{DAG}",
            {"is_paused": paused},
            update_mask="is_paused",
        )

    def unfinished_runs(self) -> list[str]:
        """Ids of nights that are queued or running."""
        return [run for dag, run in self.unfinished() if dag == DAG]

    def unfinished(self) -> list[tuple[str, str]]:
        """(DAG, run) of all runs that are queued or running."""
        runs = self.call("GET", "/api/v2/dags/~/dagRuns", state=list(UNFINISHED_RUN))
        return [(run["dag_id"], run["dag_run_id"]) for run in runs["dag_runs"]]

    def trigger(self, conf: Mapping[str, Any]) -> str:
        """Start a run; its id."""
        # Ours, so that a request whose answer was lost can be sent again: then it is there already.
        run = f"manual__{datetime.now(UTC):%Y-%m-%dT%H:%M:%S}_{uuid.uuid4().hex[:6]}"
        path = f"/api/v2/dags/{DAG}/dagRuns"
        body = {"dag_run_id": run, "logical_date": None, "conf": conf}
        answer = self._answer("POST", path, body, {})
        if answer.is_error and answer.status_code != httpx.codes.CONFLICT:
            raise SupervisorError(
                f"Airflow refuses the run ({answer.status_code}): {_detail(answer)}"
            )
        return run

    def run_state(self, run: str) -> str:
        return str(self.call("GET", f"/api/v2/dags/{DAG}/dagRuns/{run}")["state"])

    def fail_run(self, run: str, dag: str = DAG) -> None:
        """End a run: its tasks are told within seconds, by their next heartbeat."""
        self.call("PATCH", f"/api/v2/dags/{dag}/dagRuns/{run}", {"state": "failed"})

    def tasks(self, run: str) -> dict[str, Task]:
        """Task id -> task."""
        answer = self.call("GET", f"/api/v2/dags/{DAG}/dagRuns/{run}/taskInstances")
        return {one["task_id"]: _task(one) for one in answer["task_instances"]}

    def report(self, run: str, task: str) -> dict[str, Any]:
        """The StageReport that the task returned."""
        entry = self.call(
            "GET",
            f"/api/v2/dags/{DAG}/dagRuns/{run}/taskInstances/{task}/xcomEntries/return_value",
        )
        value: dict[str, Any] = entry["value"]
        return value

    def log_lines(self, run: str, task: str, attempt: int) -> list[str]:
        """The attempt's log, one line an event."""
        path = f"/api/v2/dags/{DAG}/dagRuns/{run}/taskInstances/{task}/logs/{attempt}"
        content = self.call("GET", path, full_content=True)["content"]
        return [line for event in content for line in _event(event).splitlines()]


def _task(instance: Mapping[str, Any]) -> Task:
    state = instance["state"] or "waiting"
    elapsed = instance["duration"] or 0.0
    if state == "running" and instance["start_date"]:
        elapsed = (
            time.time() - datetime.fromisoformat(instance["start_date"]).timestamp()
        )
    return Task(instance["task_id"], state, instance["try_number"], max(0.0, elapsed))


def _event(event: Mapping[str, Any] | str) -> str:
    if isinstance(event, str):
        return event
    text = str(event.get("event", ""))
    failures = [
        f"{one.get('exc_type', '')}: {one.get('exc_value', '')}"
        for one in event.get("error_detail") or []
    ]
    return "\n".join([text, *failures])


def _detail(answer: httpx.Response) -> str:
    try:
        detail = answer.json().get("detail", answer.text)
    except ValueError:
        detail = answer.text
    return str(detail)[:2000]
