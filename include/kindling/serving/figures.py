"""Counts and times of requests, for Prometheus and for `/stats`."""

import time
from collections import Counter as Tally
from collections import deque
from collections.abc import Callable
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.exposition import generate_latest

BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
#: Newest answers whose times are kept, a route.
NEWEST = 1000


class Figures:
    """One server's figures; every instance has a registry of its own."""

    def __init__(self) -> None:
        self._started = time.monotonic()
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "kindling_requests",
            "Answers by route and status.",
            ("route", "status"),
            registry=self._registry,
        )
        self._seconds = Histogram(
            "kindling_request_seconds",
            "Time from a request's head to its answer.",
            ("route",),
            buckets=BUCKETS,
            registry=self._registry,
        )
        self._tally: Tally[tuple[str, str]] = Tally()
        self._times: dict[str, deque[float]] = {}

    def watch(self, name: str, meaning: str, value: Callable[[], float]) -> None:
        """Show what `value` returns whenever somebody looks."""
        gauge = Gauge(f"kindling_{name}", meaning, registry=self._registry)
        gauge.set_function(value)

    def answered(self, route: str, status: int, seconds: float) -> None:
        self._requests.labels(route, str(status)).inc()
        self._seconds.labels(route).observe(seconds)
        self._tally[(route, str(status))] += 1
        self._times.setdefault(route, deque(maxlen=NEWEST)).append(seconds)

    def exposition(self) -> bytes:
        """Prometheus' text format."""
        return generate_latest(self._registry)

    def stats(self) -> dict[str, Any]:
        """The fields of Stats that are about requests."""
        requests: dict[str, dict[str, int]] = {}
        for (route, status), count in sorted(self._tally.items()):
            requests.setdefault(route, {})[status] = count
        return {
            "uptime_s": round(time.monotonic() - self._started, 1),
            "requests": requests,
            "milliseconds": {
                route: _quantiles(list(times)) for route, times in self._times.items()
            },
        }


def _quantiles(seconds: list[float]) -> dict[str, float]:
    ordered = sorted(seconds)
    return {
        name: round(1000 * ordered[min(len(ordered) - 1, int(share * len(ordered)))], 2)
        for name, share in (("p50", 0.5), ("p95", 0.95), ("p99", 0.99))
    }
