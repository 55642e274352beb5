"""What became of the last nights: Airflow's word on each run, beside what its stages committed."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import quote

import psycopg
from airflow.models.dagrun import DagRun
from airflow.models.taskinstance import TaskInstance
from airflow.utils.session import create_session
from psycopg.rows import dict_row
from sqlalchemy import select

from kindling.figures import CheckFigures, PromoteFigures

DAG = "nightly_retraining"
#: The figure that a night is judged by at a glance; the gate's own is in its checks.
FIGURE = "polarity_macro_f1"
ESTIMATE = frozenset({"value", "n", "low", "high", "data_sha256"})

_RUNNING = frozenset({"running", "queued", "scheduled", "restarting"})
_WAITING = frozenset({"up_for_retry", "up_for_reschedule"})

_QUERY = """
SELECT run.run_id, run.recipe, run.started_at, stage_commit.stage, stage_commit.report
FROM (SELECT * FROM kindling.run WHERE %(run_id)s::text IS NULL OR run_id = %(run_id)s
      ORDER BY started_at DESC LIMIT %(limit)s) AS run
LEFT JOIN kindling.stage_commit USING (run_id)
ORDER BY run.started_at DESC, stage_commit.committed_at
"""


@dataclass(frozen=True)
class Verdict:
    """How a night went: `kind` is good, held, running, failed or unknown."""

    kind: str
    words: str
    #: The stage to look at.
    stage: str = ""
    #: What the gate held against the candidate.
    reasons: Sequence[str] = ()
    #: The words once more, where a column beside them says the rest.
    brief: str = ""


@dataclass
class Night:
    """One run. `reports` are those of stages that committed, in the order of their commits."""

    run_id: str
    started_at: datetime
    recipe: str = ""
    reports: dict[str, dict[str, Any]] = field(default_factory=dict)
    #: Airflow's state of the run; empty where Airflow does not know it.
    state: str = ""
    #: Stage -> Airflow's state, of those that have one.
    tasks: dict[str, str] = field(default_factory=dict)

    @property
    def quoted(self) -> str:
        return quote(self.run_id, safe="")

    @property
    def verdict(self) -> Verdict:
        """Airflow's word first: a run that failed has no verdict of the gate to show."""
        if failed := self._first({"failed"}):
            return Verdict("failed", f"failed at {failed}", failed)
        if self.state == "failed":
            return Verdict("failed", "ended before its stages did")
        if promote := self.reports.get("promote"):
            return _of_the_gate(promote["figures"])
        if waiting := self._first(_WAITING):
            return Verdict("running", f"{waiting} is tried again", waiting)
        if running := self._first(_RUNNING):
            return Verdict("running", f"{running} is at work", running)
        if self.state in _RUNNING:
            return Verdict("running", "under way")
        last = next(reversed(self.reports), "")
        words = f"nothing after {last}" if last else "No stage has committed yet"
        return Verdict("unknown", words, last)

    @property
    def figure(self) -> Mapping[str, Any] | None:
        """The estimate of `FIGURE` on golden rows; None before evaluate.

        Of those that no gate has read, where there are enough of them.
        """
        found = self._figures("evaluate")
        for rows in ("sealed", "candidate"):
            one: Mapping[str, Any] | None = (found.get(rows) or {}).get(FIGURE)
            if is_estimate(one):
                return one
        return None

    @property
    def champion(self) -> str:
        """Version of the champion after this night; empty where there is none, or none yet."""
        return str(self._figures("promote").get("champion_version") or "")

    @property
    def candidate(self) -> str:
        found = self._figures("promote") or self._figures("evaluate")
        return str(found.get("candidate_version") or "")

    def rows_out(self, stage: str) -> int | None:
        """Rows that the stage let through; None before it committed."""
        report = self.reports.get(stage)
        return None if report is None else int(report["rows_out"])

    def _figures(self, stage: str) -> Mapping[str, Any]:
        return (self.reports.get(stage) or {}).get("figures") or {}

    def _first(self, states: Iterable[str]) -> str:
        wanted = set(states)
        return next((name for name, state in self.tasks.items() if state in wanted), "")


def is_estimate(value: Any) -> bool:
    return isinstance(value, Mapping) and value.keys() >= ESTIMATE


def read_nights(database_url: str, run_id: str | None, limit: int) -> list[Night]:
    """The last nights, newest first, or the one called `run_id`; psycopg's errors as they are."""
    nights = {night.run_id: night for night in _committed(database_url, run_id, limit)}
    for night in _known_to_airflow(run_id, limit):
        known = nights.setdefault(night.run_id, night)
        known.state, known.tasks = night.state, night.tasks
    newest = sorted(nights.values(), key=lambda night: night.started_at, reverse=True)
    return newest[:limit]


def _committed(database_url: str, run_id: str | None, limit: int) -> list[Night]:
    with psycopg.connect(
        database_url, connect_timeout=5, row_factory=dict_row
    ) as connection:
        rows = connection.execute(_QUERY, {"run_id": run_id, "limit": limit}).fetchall()
    nights: dict[str, Night] = {}
    for row in rows:
        night = nights.setdefault(
            row["run_id"], Night(row["run_id"], row["started_at"], row["recipe"])
        )
        if row["stage"]:
            night.reports[row["stage"]] = row["report"]
    return list(nights.values())


def _known_to_airflow(run_id: str | None, limit: int) -> list[Night]:
    runs = select(DagRun.run_id, DagRun.state, DagRun.run_after, DagRun.conf)
    runs = runs.where(DagRun.dag_id == DAG).order_by(DagRun.run_after.desc())
    if run_id is not None:
        runs = runs.where(DagRun.run_id == run_id)
    tasks = select(TaskInstance.run_id, TaskInstance.task_id, TaskInstance.state)
    tasks = tasks.where(TaskInstance.dag_id == DAG, TaskInstance.state.is_not(None))
    with create_session() as session:
        nights = {
            row.run_id: Night(
                row.run_id,
                row.run_after,
                str((row.conf or {}).get("recipe", "")),
                state=str(row.state),
            )
            for row in session.execute(runs.limit(limit))
        }
        found = tasks.where(TaskInstance.run_id.in_(nights))
        for row in session.execute(found.order_by(TaskInstance.start_date)):
            nights[row.run_id].tasks[row.task_id] = str(row.state)
    return list(nights.values())


def _of_the_gate(stored: Mapping[str, Any]) -> Verdict:
    figures = PromoteFigures.from_dict(stored)
    if figures.promoted:
        words = f"version {figures.candidate_version} is the champion"
        return Verdict("good", words, brief="new champion")
    reasons = [_reason(one) for one in figures.checks if not one.passed]
    champion = figures.champion_version
    stays = f"version {champion} stays" if champion else "there is no champion yet"
    if figures.provisional:
        stays += f", version {figures.serving_version} serves provisionally"
    unsure = figures.verdict == "cannot tell"
    brief = "cannot tell" if unsure else "not let through"
    why = "too little to tell by" if unsure else "not let through"
    return Verdict("held", f"candidate {why}; {stays}", "promote", reasons, brief)


def _reason(check: CheckFigures) -> str:
    """The check's code, which the runbook explains, and whether it failed or could not tell."""
    unsure = check.verdict == "cannot tell"
    return f"{check.code} (cannot tell)" if unsure else check.code
