"""Processes of one server: none outlives it, and why one could not start is known."""

import ctypes
import multiprocessing
import os
import signal
import sys

from kindling.errors import KindlingError

PR_SET_PDEATHSIG = 1


class Failure:
    """Carries the error that kept the worker from starting to the process that started it."""

    def __init__(self) -> None:
        self._queue = multiprocessing.get_context("spawn").SimpleQueue()

    def put(self, error: KindlingError) -> None:
        self._queue.put(error)

    def get(self) -> KindlingError | None:
        return None if self._queue.empty() else self._queue.get()


def belong_to_parent() -> None:
    """In a child of the server: end only when the server says so, and never outlive it.

    Ctrl-C goes to every process of a terminal's group; the children must still give the last answers,
    so they leave the group. And Linux kills them when the server dies, however it dies.
    """
    os.setpgid(0, 0)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def end_children() -> None:
    """What LitServe leaves when a start fails: without this the interpreter would wait for them for ever."""
    for child in multiprocessing.active_children():
        child.terminate()
        child.join(5)
        if child.is_alive():
            child.kill()
