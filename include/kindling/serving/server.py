"""Starts LitServe with the champion, and ends it with nothing left behind."""

import ipaddress
import logging
import os
import signal
import socket
import sys
import threading
import time
from functools import partial
from pathlib import Path
from typing import Any

import litserve
from litserve.utils import WorkerSetupStatus

from kindling.errors import ConfigurationError, KindlingError
from kindling.ports.answers import SharedAnswers
from kindling.ports.nights import Nights
from kindling.ports.standing import StandingStore
from kindling.serving.api import TIMEOUT_S, Front, Opened, ReviewAPI, ReviewRoutes
from kindling.serving.children import Failure, belong_to_parent, end_children
from kindling.serving.connections import KEEP_ALIVE_S, BoundedConnection
from kindling.serving.documentation import document
from kindling.serving.errors_shown import one_error_shape
from kindling.serving.event_socket import MAX_MESSAGE_BYTES
from kindling.serving.events import ALIVE_S
from kindling.serving.figures import Figures
from kindling.serving.gateway import Gateway, Life, Rules
from kindling.serving.keys import KeyRing
from kindling.serving.worker import Served
from kindling.settings import Settings

#: What LitServe itself accepts.
HOSTS = ("127.0.0.1", "0.0.0.0", "::")
MAX_BODY_BYTES = 15_000_000
#: Seconds between two looks whether the worker lives.
MONITOR_S = 0.25
#: Seconds before a worker that cannot load is tried again, doubled up to the second.
RETRY_S, RETRY_MOST_S = 1.0, 30.0

log = logging.getLogger(__name__)


class Ended(Exception):
    """The server was told to end before it was up."""


class Server(litserve.LitServer):  # type: ignore[misc]
    """LitServe that ends in order: by itself it answers SIGTERM by leaving its children behind."""

    ending = False
    #: Both ends of what wakes the thread that waits for a signal; open as long as the server is.
    wake_up: tuple[socket.socket, socket.socket] | None = None
    #: Whether the first worker could not be set up: then no later one is tried.
    start_failed = False
    _loaded_once = False
    _retry_s = RETRY_S

    def end(self) -> None:
        """From any thread: give the answers under way, then stop."""
        # First, while the process that holds the event is sure to live; before it exists, the flag does.
        if self._shutdown_event is not None:
            self._shutdown_event.set()
        self.ending = True

    def verify_worker_status(self) -> None:
        """Do not wait: `/health` says "not ready" while the model loads, instead of nothing."""
        # Told to end before there was an event that could be set.
        if self.ending:
            raise Ended

    def launch_single_inference_worker(
        self, lit_api: litserve.LitAPI, worker_id: int
    ) -> Any:
        """Replace a worker that died; not one that was ended, nor one that never could start."""
        failed = WorkerSetupStatus.ERROR in self.workers_setup_status.values()
        if failed and not self._loaded_once:
            self.start_failed = True
            self.end()
        if self.ending:
            sys.exit()  # Ends the thread that watches the workers.
        self._loaded_once = True
        if failed:
            time.sleep(self._retry_s)
        self._retry_s = min(2 * self._retry_s, RETRY_MOST_S) if failed else RETRY_S
        return super().launch_single_inference_worker(lit_api, worker_id)


def serve(settings: Settings, host: str, port: int) -> int:
    """Answer requests with the champion until SIGTERM or SIGINT; returns the exit code.

    DataError (exit 3) without a champion, ConfigurationError where the address is taken or
    keys are needed and there are none.
    """
    rules = rules_for(settings, host)
    front = Front(
        image_hosts=settings.image_hosts,
        open_standing=partial(open_standing, settings),
        open_nights=partial(open_nights, settings) if settings.airflow_url else None,
        open_answers=partial(open_answers, settings) if settings.cache_url else None,
    )
    return run(partial(open_champion, settings), front, rules, host, port)


def open_standing(settings: Settings) -> StandingStore:
    """Where feedback goes, opened when the first comes."""
    from kindling import wiring

    return wiring.standing(settings)


def open_nights(settings: Settings) -> Nights:
    """The scheduler, opened when the first asks for a run."""
    from kindling import wiring

    return wiring.nights(settings)


def open_answers(settings: Settings) -> SharedAnswers | None:
    """Answers shared with other servers."""
    from kindling import wiring

    return wiring.answers(settings)


def rules_for(settings: Settings, host: str) -> Rules:
    """Keys and an access log wherever others can reach the server, unless the settings say no."""
    beyond = not ipaddress.ip_address(host).is_loopback
    if settings.api_access == "open" or (settings.api_access == "auto" and not beyond):
        return Rules(log=beyond)
    if not settings.api_keys:
        raise ConfigurationError(
            f"serving at {host} needs keys: `python -m kindling key --file KEYS` makes one, "
            "KINDLING_API_KEYS=KEYS names the file. Behind a gateway that checks them: "
            "KINDLING_API_ACCESS=open"
        )
    return Rules(KeyRing(Path(settings.api_keys)), log=True)


def open_champion(settings: Settings) -> Served:
    """In the worker: the champion, loaded, warm, and watched."""
    # Here and not above: the processes in front of the worker need none of the model's libraries.
    from kindling import wiring
    from kindling.serving.champion import NEEDS, Champion

    champion = Champion(wiring.ports(settings, NEEDS))
    champion.watch()
    return champion


def run(open_served: Opened, front: Front, rules: Rules, host: str, port: int) -> int:
    """Serve whatever `open_served` (a picklable function) opens in the worker process."""
    _check_address(host, port)
    failure, figures = Failure(), Figures()
    routes = ReviewRoutes(front, figures)
    server = Server(
        ReviewAPI(routes, open_served, failure),
        accelerator="cpu",
        timeout=TIMEOUT_S,
        max_payload_size=MAX_BODY_BYTES,
        restart_workers=True,
    )
    server.monitor_internal = MONITOR_S
    one_error_shape(server.app)
    document(server.app)
    server.app.add_api_websocket_route("/events", routes.event_socket)
    server.app.add_middleware(
        Gateway,
        rules=rules,
        figures=figures,
        life=Life(routes.run, routes.end_streams),
    )
    _end_on_signals(server)
    try:
        server.run(
            host=host,
            port=port,
            log_level="warning",
            access_log=False,
            generate_client_file=False,
            http=BoundedConnection,
            ws="websockets-sansio",
            ws_max_size=MAX_MESSAGE_BYTES,
            # A message of a kilobyte can unfold into one of a megabyte.
            ws_per_message_deflate=False,
            ws_ping_interval=ALIVE_S,
            ws_ping_timeout=ALIVE_S,
            timeout_keep_alive=KEEP_ALIVE_S,
            server_header=False,
        )
    except Ended:
        log.info("told to end before it was up")
    finally:
        end_children()
    if server.start_failed:
        raise failure.get() or KindlingError(
            "the worker could not be set up; the log above says why"
        )
    return 0


def _check_address(host: str, port: int) -> None:
    if host not in HOSTS or not 1024 <= port <= 65535:
        raise ConfigurationError(
            f"cannot serve at {host}:{port}; hosts: {', '.join(HOSTS)}, ports: 1024 to 65535"
        )
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise ConfigurationError(
                f"cannot serve at {host}:{port}: {error.strerror}; choose another port"
            ) from None


def _end_on_signals(server: Server) -> None:
    """SIGTERM and SIGINT end the server.

    The handler raises nothing: an exception out of a handler may come up where Python drops it (in a
    finaliser, in a hook of fork), and the signal would be lost. A thread reads that one has come.
    """
    arrived, wake = server.wake_up = socket.socketpair()
    wake.setblocking(False)
    signal.set_wakeup_fd(wake.fileno(), warn_on_full_buffer=False)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda number, frame: None)

    def watch() -> None:
        arrived.recv(1)
        server.end()

    threading.Thread(target=watch, name="end-on-signal", daemon=True).start()
    # The manager and the API process are forked from here, this set-up with them; the worker is not.
    os.register_at_fork(after_in_child=_as_forked_child)


def _as_forked_child() -> None:
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_DFL)
    belong_to_parent()
