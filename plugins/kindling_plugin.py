"""What Kindling adds to Airflow: the page "Data health" and the nightly timetable.

Every process of Airflow imports this file, so each part is imported when it is asked for.
"""

from functools import cached_property
from typing import Any

from airflow.plugins_manager import AirflowPlugin


class KindlingPlugin(AirflowPlugin):
    name = "kindling"

    external_views: list[Any] = [  # noqa: RUF012 (declared so by the parent)
        {
            "name": "Data health",
            "href": "/kindling/",
            "destination": "nav",
            "category": "browse",
            # No `url_route`: a tab of its own. Airflow would put it into a frame that may open nothing.
        },
        {
            "name": "Stage reports",
            "href": "/kindling/runs/{RUN_ID}",
            "destination": "dag_run",
            "url_route": "stage-reports",
        },
    ]

    @cached_property
    def fastapi_apps(self) -> list[dict[str, Any]]:  # type: ignore[override]
        from kindling_airflow.data_health import data_health_app

        return [
            {
                "app": data_health_app(),
                "url_prefix": "/kindling",
                "name": "Kindling data health",
            }
        ]

    @cached_property
    def timetables(self) -> list[type]:  # type: ignore[override]
        from kindling_airflow.timetable import NightlyTimetable

        return [NightlyTimetable]
