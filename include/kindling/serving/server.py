"""Starts LitServe with the champion, and ends it with nothing left behind."""

import logging
import multiprocessing
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import litserve
from litserve.utils import WorkerSetupStatus

from kindling import wiring
from kindling.errors import ConfigurationError
from kindling.serving.api import (
    TIMEOUT_S,
    Failure,
    Opened,
    ReviewAPI,
    ReviewRoutes,
    belong_to_parent,
    one_error_shape,
)
from kindling.serving.documentation import document
from kindling.settings import Settings

#: What LitServe itself accepts.
HOSTS = ("127.0.0.1", "0.0.0.0", "::")
MAX_BODY_BYTES = 15_000_000

log = logging.getLogger(__name__)


class Ended(Exception):
    """The server was told to end before it was up."""


class Server(litserve.LitServer):
    """LitServe that ends in order: by itself it answers SIGTERM by leaving its children behind."""

    ending = False
    #: Both ends of what wakes the thread that waits for a signal; open as long as the server is.
    wake_up: tuple[socket.socket, socket.socket] | None = None

    def end(self) -> None:
        """From any thread: give the answers under way, then stop."""
        # First, while the process that holds the event is sure to live; before it exists, the flag does.
        if self._shutdown_event is not None:
            self._shutdown_event.set()
        self.ending = True

    def verify_worker_status(self) -> None:
        """Wait for the worker, but no longer than it is wanted."""
        while (
            not self.ending
            and WorkerSetupStatus.STARTING in self.workers_setup_status.values()
        ):
            time.sleep(0.05)
        if self.ending:
            raise Ended
        super().verify_worker_status()

    def launch_single_inference_worker(
        self, lit_api: litserve.LitAPI, worker_id: int
    ) -> Any:
        """Replace a worker that died; one that the server has just ended is not to be replaced."""
        if self.ending:
            sys.exit()  # Ends the thread that watches the workers.
        return super().launch_single_inference_worker(lit_api, worker_id)


def serve(settings: Settings, host: str, port: int) -> int:
    """Answer requests with the champion until SIGTERM or SIGINT; returns the exit code.

    DataError (exit 3) without a champion, ConfigurationError where the address cannot be had.
    """
    return run(partial(open_champion, settings), settings.image_hosts, host, port)


def open_champion(settings: Settings) -> Opened:
    """In the worker: the champion, loaded, warm, and watched."""
    # Here and not above: the processes in front of the worker need none of the model's libraries.
    from kindling.serving.champion import NEEDS, Champion

    champion = Champion(wiring.ports(settings, NEEDS))
    champion.watch()
    return lambda: champion.predictor


def run(
    open_predictor: Callable[[], Opened],
    image_hosts: tuple[str, ...],
    host: str,
    port: int,
) -> int:
    """Serve whatever `open_predictor` (a picklable function) opens in the worker process."""
    _check_address(host, port)
    failure = Failure()
    server = Server(
        ReviewAPI(ReviewRoutes(image_hosts), open_predictor, failure),
        accelerator="cpu",
        timeout=TIMEOUT_S,
        max_payload_size=MAX_BODY_BYTES,
        restart_workers=True,
    )
    one_error_shape(server.app)
    document(server.app)
    _end_on_signals(server)
    try:
        server.run(
            host=host,
            port=port,
            log_level="warning",
            access_log=False,
            generate_client_file=False,
        )
    except RuntimeError:
        error = failure.get()
        if error is None:
            raise
        raise error from None
    except Ended:
        log.info("told to end before it was up")
    finally:
        _end_children()
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


def _end_children() -> None:
    """What LitServe leaves when a start fails: without this the interpreter would wait for them for ever."""
    for child in multiprocessing.active_children():
        child.terminate()
        child.join(5)
        if child.is_alive():
            child.kill()
