"""The command line: `python -m kindling <stage> --run R --recipe NAME`, the same everywhere."""

import argparse
import logging
import os
import signal
import sys
from types import FrameType

from kindling.commands import (
    audit,
    coldstart,
    copies,
    data,
    endpoint,
    forgetting,
    nights,
    search,
    sources,
    stages,
    train,
)
from kindling.errors import KindlingError

TOPICS = (
    stages,
    data,
    nights,
    copies,
    forgetting,
    endpoint,
    sources,
    search,
    train,
    coldstart,
    audit,
)

#: Libraries that would call home, draw progress bars into task logs, or look for git and hubs.
LIBRARY_SETTINGS = {
    "GIT_PYTHON_REFRESH": "quiet",
    "GX_ANALYTICS_ENABLED": "false",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    # Threads that spin while they wait starve each other as soon as anything else wants a core.
    "OMP_WAIT_POLICY": "PASSIVE",
    # numpy's own threads spin too: fitting one small head took twenty times the CPU seconds.
    "OPENBLAS_NUM_THREADS": "1",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "TOKENIZERS_PARALLELISM": "false",
}


def main(argv: list[str] | None = None) -> int:
    """Exit code of the command; a KindlingError is one line on stderr, never a traceback."""
    for name, value in LIBRARY_SETTINGS.items():
        os.environ.setdefault(name, value)
    logging.basicConfig(
        level=logging.INFO,
        stream=sys.stderr,
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
    )
    for noisy in ("httpx", "great_expectations", "alembic", "elastic_transport"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    arguments = parser().parse_args(argv)
    try:
        return arguments.act(arguments) or 0
    except KindlingError as error:
        print(f"kindling {arguments.command}: {error}", file=sys.stderr)
        return error.exit_code


def parser() -> argparse.ArgumentParser:
    """The whole command line."""
    made = argparse.ArgumentParser(prog="python -m kindling", description=__doc__)
    commands = made.add_subparsers(dest="command", required=True, metavar="command")
    for topic in TOPICS:
        topic.add(commands)
    return made


def end_when_told() -> None:
    """End by SIGTERM, as the first process of a container too.

    The kernel keeps a signal without a handler from such a process: a cancelled pod would hold its GPU
    until the cluster kills it, a minute later.
    """

    def leave(number: int, _: FrameType | None) -> None:
        sys.exit(128 + number)

    signal.signal(signal.SIGTERM, leave)


if __name__ == "__main__":
    end_when_told()
    sys.exit(main())
