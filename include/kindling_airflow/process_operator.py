"""The runtime `process`: a stage as a child of the task, on the machine that runs the task."""

import os
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from airflow.sdk import BaseOperator

from kindling_airflow.command import (
    REPORT_PATH,
    product_environment,
    shard_arguments,
)
from kindling_airflow.policies import checked_report, failure, resumed
from kindling_airflow.process_group import end_group, launch, lines

#: Names that a stage needs of its machine. A list of what may pass, not of what may not: the task's own
#: environment holds Airflow's secrets (`AIRFLOW__API_AUTH__JWT_SECRET` signs every token).
MACHINE_ENVIRONMENT = (
    "PATH",
    "HOME",
    "LANG",
    "LC_ALL",
    "TZ",
    "TMPDIR",
    "PYTHONPATH",
    "LD_LIBRARY_PATH",
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "CUDA_VISIBLE_DEVICES",
    "SSL_CERT_FILE",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "http_proxy",
    "https_proxy",
    "no_proxy",
)

#: Interpreter of the stages, when it is not Airflow's own.
INTERPRETER = "KINDLING_PYTHON"


def process_environment(source: Mapping[str, str]) -> dict[str, str]:
    """The stage's whole environment, but for the path of its report."""
    machine = {name: source[name] for name in MACHINE_ENVIRONMENT if name in source}
    # Unbuffered, so that a line of the stage shows in the task's log when it is printed.
    return {**machine, **product_environment(source), "PYTHONUNBUFFERED": "1"}


class StageProcessOperator(BaseOperator):
    """Runs `python` with the stage's arguments and returns its report.

    Not BashOperator: no shell, a report from a file instead of the last line of output, no inherited
    stdin (that is the task's socket to its supervisor), and nothing left behind when the task ends.
    """

    template_fields = ("arguments",)

    #: Not in `__init__`: an operator is serialized, a running process cannot be.
    _process: subprocess.Popen[bytes] | None = None
    _told_to_end = False

    def __init__(
        self, *, stage: str, arguments: list[str], shard: str = "", **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.stage = stage
        self.shard = shard
        self.arguments = arguments

    def execute(self, context: Any) -> dict[str, Any]:
        """The stage's report; AirflowFailException when a retry is of no use."""
        with tempfile.TemporaryDirectory(prefix=f"kindling-{self.stage}-") as folder:
            report = Path(folder) / "return.json"
            python = os.environ.get(INTERPRETER) or sys.executable
            argv = [python, *self.arguments, *shard_arguments(self.shard)]
            self.log.info("Stage %s starts: %s", self.stage, shlex.join(argv))
            # An empty folder to stand in: `python -m` puts it first on the import path.
            environment = {**process_environment(os.environ), REPORT_PATH: str(report)}
            self._process = launch(argv, environment, Path(folder))
            try:
                for line in lines(self._process):
                    self.log.info("%s", line)
            finally:
                # Also after a timeout, which is a BaseException, and after an end that left children.
                end_group(self._process)
            code = self._process.returncode
            if code and self._told_to_end:
                # A worker that is drained, or a person who cancelled: then Airflow has the last word
                # already. The stage is not to blame, so this must not cost it one of its tries.
                self.log.warning("Told to end, and so was the stage; it starts anew")
                raise resumed()
            if code:
                raise failure(self.stage, code)
            return checked_report(
                self.stage,
                report.read_text(encoding="utf-8") if report.exists() else None,
            )

    def on_kill(self) -> None:
        """Ends the stage and whatever it started."""
        self._told_to_end = True
        if self._process is not None:
            end_group(self._process)
