"""When the nightly run is due: at its hour, and never as a surprise hours later."""

from datetime import timedelta
from typing import Any

from airflow.sdk.timezone import coerce_datetime, utcnow
from airflow.timetables.base import DagRunInfo
from airflow.timetables.trigger import CronTriggerTimetable

#: How late a run may still start: long enough for a scheduler that is restarting.
GRACE = timedelta(minutes=10)


class NightlyTimetable(CronTriggerTimetable):
    """Cron in UTC, where a run that could not start within the grace is skipped.

    Airflow's own cron timetable starts the last missed run as soon as a DAG is unpaused: always when
    it has run on schedule before, and for a tenth of the interval after the hour when it has not
    (3.3.2: `run_immediately=False` takes the same branch as None). On a laptop that run would go
    ahead of the one its owner has just asked for.
    """

    def __init__(self, cron: str, **kwargs: Any) -> None:
        super().__init__(cron, **{"timezone": "UTC", **kwargs})

    def next_dagrun_info(self, **kwargs: Any) -> DagRunInfo | None:
        """As the parent says, or the next time to come if that one is past its grace."""
        planned = super().next_dagrun_info(**kwargs)
        now = coerce_datetime(utcnow())
        if (
            planned is None
            or kwargs["restriction"].catchup
            or now - planned.run_after <= GRACE
        ):
            return planned
        upcoming = self._get_next(now)
        if (latest := kwargs["restriction"].latest) is not None and upcoming > latest:
            return None
        return DagRunInfo.interval(upcoming - self._interval, upcoming)
