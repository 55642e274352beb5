"""Runs of the DAG through Airflow's REST API v2."""

import statistics
import threading
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import httpx

from kindling.errors import DataError, KindlingError, TransientError
from kindling.ports.nights import Night

DAG = "nightly_retraining"
WAIT_S = 4.0
#: Runs before this one that its end is foretold from.
FORETOLD_FROM = 5
_PASSING = frozenset({429, 500, 502, 503, 504})


class AirflowNights:
    """Nights over HTTP. Logs in on first use, and again when its token has run out."""

    def __init__(self, url: str, user: str, password: str) -> None:
        self._http = httpx.Client(base_url=url, timeout=WAIT_S, trust_env=False)
        self._login = {"username": user, "password": password}
        self._token, self._one_login = "", threading.Lock()

    def start(self, run_id: str, parameters: Mapping[str, Any]) -> Night:
        """Begin a run; the same id again is the same run."""
        body = {"dag_run_id": run_id, "logical_date": None, "conf": dict(parameters)}
        self._call("POST", f"/api/v2/dags/{DAG}/dagRuns", body, also=(409,))
        return self.find(run_id)

    def find(self, run_id: str) -> Night:
        """The run as it is now; DataError where there is none of that id."""
        path = f"/api/v2/dags/{DAG}/dagRuns/{run_id}"
        run = self._call("GET", path)
        tasks = self._call("GET", f"{path}/taskInstances")["task_instances"]
        states = {one["task_id"]: one["state"] or "waiting" for one in tasks}
        elapsed = _seconds(run["start_date"], run["end_date"])
        return Night(
            run_id=run["dag_run_id"],
            state=run["state"],
            stage=_under_way(states),
            done=sum(one == "success" for one in states.values()),
            stages=len(states),
            elapsed_s=elapsed,
            left_s=self._left(run["state"], elapsed),
        )

    def cancel(self, run_id: str) -> Night:
        """End it as failed, which is how Airflow stops what runs."""
        path = f"/api/v2/dags/{DAG}/dagRuns/{run_id}"
        self._call("PATCH", path, {"state": "failed"})
        return self.find(run_id)

    def again(self, stage: str) -> Night:
        """Clear the stage in the newest run that succeeded."""
        runs = self._runs("success", 1)
        if not runs:
            raise DataError(f"no run of {DAG} has succeeded yet: start one first")
        run_id = runs[0]["dag_run_id"]
        self._call(
            "POST",
            f"/api/v2/dags/{DAG}/clearTaskInstances",
            {
                "dry_run": False,
                "dag_run_id": run_id,
                "task_ids": [stage],
                "only_failed": False,
                "reset_dag_runs": True,
            },
        )
        return self.find(run_id)

    def _left(self, state: str, elapsed: float | None) -> float | None:
        if state not in ("queued", "running"):
            return 0.0
        lasted = [
            _seconds(one["start_date"], one["end_date"])
            for one in self._runs("success", FORETOLD_FROM)
        ]
        known = [one for one in lasted if one is not None]
        if not known:
            return None
        return max(0.0, statistics.median(known) - (elapsed or 0.0))

    def _runs(self, state: str, limit: int) -> list[dict[str, Any]]:
        found = self._call(
            "GET",
            f"/api/v2/dags/{DAG}/dagRuns",
            state=state,
            order_by="-start_date",
            limit=limit,
        )
        return list(found["dag_runs"])

    def _call(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        also: tuple[int, ...] = (),
        **query: Any,
    ) -> dict[str, Any]:
        answer = self._sent(method, path, body, query)
        # Airflow 3.3 says 403 to a token that it cannot read, 401 to one that has run out.
        if answer.status_code in (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN):
            self._log_in(self._token)
            answer = self._sent(method, path, body, query)
        if answer.status_code in _PASSING:
            raise TransientError(f"Airflow answers {method} with {answer.status_code}")
        if answer.status_code == httpx.codes.NOT_FOUND:
            raise DataError("Airflow knows no such run")
        if answer.is_error and answer.status_code not in also:
            raise KindlingError(
                f"Airflow refuses ({answer.status_code}): {_said(answer)}"
            )
        found: dict[str, Any] = answer.json() if answer.content else {}
        return found

    def _sent(
        self, method: str, path: str, body: Any, query: Mapping[str, Any]
    ) -> httpx.Response:
        if not self._token:
            self._log_in("")
        headers = {"Authorization": f"Bearer {self._token}"}
        try:
            return self._http.request(
                method, path, json=body, params=query, headers=headers
            )
        except httpx.TransportError as error:
            raise TransientError(f"Airflow does not answer: {error!r}") from error

    def _log_in(self, spent: str) -> None:
        """A new token, unless another thread has just fetched one."""
        with self._one_login:
            if self._token != spent:
                return
            try:
                answer = self._http.post("/auth/token", json=self._login)
            except httpx.TransportError as error:
                raise TransientError(f"Airflow does not answer: {error!r}") from error
            if answer.is_error:
                raise KindlingError(
                    f"Airflow does not let KINDLING_AIRFLOW_USER in ({answer.status_code})"
                )
            self._token = answer.json()["access_token"]


def _under_way(states: Mapping[str, str]) -> str | None:
    for wanted in ("failed", "running", "queued", "up_for_retry", "scheduled"):
        found = [name for name, state in states.items() if state == wanted]
        if found:
            return found[0]
    return None


def _seconds(start: str | None, end: str | None) -> float | None:
    if start is None:
        return None
    until = datetime.fromisoformat(end) if end else datetime.now(UTC)
    return round((until - datetime.fromisoformat(start)).total_seconds(), 1)


def _said(answer: httpx.Response) -> str:
    try:
        return str(answer.json().get("detail", ""))[:300]
    except ValueError:
        return answer.text[:300]
