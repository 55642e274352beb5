"""What stays beside the services after `make up`: it starts again what has died."""

import time
from collections import defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass, field

import psycopg

from kindling_local import postgres
from kindling_local.components import WATCHER
from kindling_local.errors import SupervisorError
from kindling_local.layout import Layout
from kindling_local.startup import Installation, service_named
from kindling_local.state import load, process

POSTGRES = "postgres"
POLL_S = 3.0
#: A service that dies this often does not die by chance: its log is for a person to read, and it is started
#: again after a rest only. Not left alone: it may have died of PostgreSQL, which is back.
MOST_RESTARTS, WITHIN_S, REST_S = 5, 600.0, 60.0

Say = Callable[[str], None]


@dataclass
class Watcher:
    """Looks every few seconds; `look` once, `watch` for good."""

    layout: Layout
    say: Say
    with_parent: bool
    _restarts: dict[str, deque[float]] = field(
        default_factory=lambda: defaultdict(deque)
    )
    #: When it may be started again, of what dies too often.
    _rests_until: dict[str, float] = field(default_factory=dict)

    def watch(self) -> None:
        """Until it is told to end."""
        while True:
            time.sleep(POLL_S)
            try:
                self.look()
            except (SupervisorError, psycopg.OperationalError, OSError) as error:
                # PostgreSQL that does not come back, a full disk: it may be better next time.
                self.say(f"could not start again what died: {error}")

    def look(self) -> list[str]:
        """Names of what was dead and has been started again."""
        dead = self._dead()
        if not dead:
            return []
        # It starts PostgreSQL before anything else.
        installation = Installation(
            self.layout, self.say, self.with_parent, load(self.layout.state).recipe
        )
        revived = [
            name
            for name in dead
            if name == POSTGRES
            or installation.restart(service_named(installation, name))
        ]
        for name in revived:
            self.say(f"{name} had died and is started again")
            self._note(name)
        return revived

    def _dead(self) -> list[str]:
        services = load(self.layout.state).services
        now = time.monotonic()
        resting = {name for name, until in self._rests_until.items() if now < until}
        dead = [
            name
            for name, entry in services.items()
            if name not in {WATCHER, *resting} and process(entry) is None
        ]
        if services and postgres.find(self.layout.postgres) is None:
            dead.insert(0, POSTGRES)
        return dead

    def _note(self, name: str) -> None:
        times = self._restarts[name]
        times.append(time.monotonic())
        while times[0] < times[-1] - WITHIN_S:
            times.popleft()
        if len(times) >= MOST_RESTARTS and name != POSTGRES:
            self._rests_until[name] = times[-1] + REST_S
            self.say(
                f"{name} died {len(times)} times within {WITHIN_S / 60:.0f} minutes: if it dies again it is "
                f"started after {REST_S:.0f} s; {self.layout.log(name)} says why"
            )
