"""Unpausing starts nothing, a restart at two o'clock loses nothing."""

from datetime import UTC, datetime, timedelta

import pendulum
import pytest
from airflow.timetables.base import DataInterval, TimeRestriction

from kindling_airflow.timetable import GRACE, NightlyTimetable

ALWAYS = TimeRestriction(earliest=None, latest=None, catchup=False)
DUE = datetime(2026, 11, 21, 2, tzinfo=UTC)


def _next(
    monkeypatch: pytest.MonkeyPatch,
    now: datetime,
    last: datetime | None,
    restriction: TimeRestriction = ALWAYS,
) -> datetime | None:
    for module in ("airflow.timetables.trigger", "kindling_airflow.timetable"):
        monkeypatch.setattr(f"{module}.utcnow", lambda: now)
    interval = DataInterval.exact(pendulum.instance(last)) if last else None
    info = NightlyTimetable("0 2 * * *").next_dagrun_info(
        last_automated_data_interval=interval, restriction=restriction
    )
    return info and info.run_after


@pytest.mark.parametrize("days_since_last", [None, 1, 2, 30])
@pytest.mark.parametrize(
    "late", [GRACE + timedelta(seconds=1), timedelta(hours=1), timedelta(hours=23.9)]
)
def test_a_missed_night_stays_missed(
    monkeypatch: pytest.MonkeyPatch,
    days_since_last: int | None,
    late: timedelta,
) -> None:
    last = DUE - timedelta(days=days_since_last) if days_since_last else None
    assert _next(monkeypatch, DUE + late, last) == DUE + timedelta(days=1)


@pytest.mark.parametrize(
    "last", [None, DUE - timedelta(days=1), DUE - timedelta(days=9)]
)
@pytest.mark.parametrize("late", [timedelta(), timedelta(seconds=31), GRACE])
def test_a_run_within_the_grace_still_starts(
    monkeypatch: pytest.MonkeyPatch,
    last: datetime | None,
    late: timedelta,
) -> None:
    assert _next(monkeypatch, DUE + late, last) == DUE


def test_no_second_run_in_one_night(monkeypatch: pytest.MonkeyPatch) -> None:
    assert _next(monkeypatch, DUE + timedelta(minutes=1), DUE) == DUE + timedelta(
        days=1
    )


def test_before_the_hour_it_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    assert _next(monkeypatch, DUE - timedelta(seconds=1), None) == DUE


def test_an_end_date_ends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    until = ALWAYS._replace(latest=pendulum.instance(DUE + timedelta(hours=12)))
    assert _next(monkeypatch, DUE + timedelta(hours=1), None, until) is None


def test_backfill_keeps_every_night(monkeypatch: pytest.MonkeyPatch) -> None:
    catchup = ALWAYS._replace(catchup=True)
    assert _next(monkeypatch, DUE + timedelta(days=5), DUE, catchup) == DUE + timedelta(
        days=1
    )


def test_survives_serialization() -> None:
    timetable = NightlyTimetable("30 1 * * *")
    again = NightlyTimetable.deserialize(timetable.serialize())
    assert again == timetable and again.summary == "30 1 * * *"
