"""Commands that must have ended before services start: several at once, none left behind."""

import os
import re
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from kindling_local.errors import SupervisorError
from kindling_local.services import LAST_LINES, SPEAK_S, last_lines

#: How `python -m kindling` and the shop begin an error.
_ERROR = re.compile(r"^(kindling|shop)\b[\w -]*: ")


@dataclass
class Job:
    """A command under way, its output in a log. Its failure is the supervisor's, with the same exit code."""

    name: str
    argv: Sequence[str]
    environment: Mapping[str, str]
    folder: Path
    log: Path
    #: Called once, after exit code 0.
    done: Callable[[], None] = lambda: None
    _process: subprocess.Popen[Any] | None = None

    def __enter__(self) -> Self:
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                list(self.argv),
                env=dict(self.environment),
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        return self

    def wait(self, say: Callable[[str], None] = lambda line: None) -> None:
        """SupervisorError with the end of its log when it failed. `say` hears that it is still at work."""
        assert self._process is not None
        while True:
            try:
                code = self._process.wait(SPEAK_S)
                break
            except subprocess.TimeoutExpired:
                say(f"still waiting for {self.name}")
        if code:
            raise SupervisorError(
                f"{self.name} failed (exit code {code}); the end of {self.log}:\n"
                f"{last_lines(self.log) or '(empty)'}",
                exit_code=code if code in (2, 3) else 1,
            )
        self.done()

    def __exit__(self, *_: object) -> None:
        # Left by an interrupt or by another job's failure.
        if self._process is not None and self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGTERM)
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                os.killpg(self._process.pid, signal.SIGKILL)
                self._process.wait()


def output_of(
    argv: Sequence[str], environment: Mapping[str, str], folder: Path
) -> tuple[int, str, str]:
    """Exit code, stdout and the last words on stderr of a short command."""
    ended = subprocess.run(
        list(argv),
        env=dict(environment),
        cwd=folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    return ended.returncode, ended.stdout, last_words(ended.stderr)


def last_words(stderr: str) -> str:
    """The product's own error with all its lines (a YAML error has several), else the last lines."""
    said = stderr.strip().splitlines()
    starts = [number for number, line in enumerate(said) if _ERROR.match(line)]
    return "\n".join(said[starts[-1] :] if starts else said[-LAST_LINES:])
