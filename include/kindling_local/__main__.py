"""`python -m kindling_local run|up|down|status`: what `make` calls."""

import argparse
import errno
import hashlib
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from rich.console import Console

from kindling_local import commands
from kindling_local.errors import Interrupted, SupervisorError
from kindling_local.layout import from_environment
from kindling_local.once import Wanted

EXIT_INTERRUPTED = 130
WIDTH = 140


def main(argv: list[str] | None = None) -> int:
    """Run one command; 0 only if all that it promises is true."""
    arguments = _parser().parse_args(argv)
    # A file or a pipe has no width of its own; tables want more than the default 80 columns.
    console = Console(highlight=False, width=None if sys.stdout.isatty() else WIDTH)
    errors = Console(stderr=True, highlight=False)
    try:
        with _ending_signals():
            layout = from_environment()
            if arguments.command == "status":
                return commands.status(console, layout)
            if arguments.command == "down":
                return commands.down(console, layout)
            if arguments.command == "watch":
                return commands.watch(console, layout, arguments.with_parent)
            # A folder in the environment is for recipes that serve one, and no data to look at.
            environment = os.environ.get("KINDLING_DATA", "")
            wanted = Wanted(
                arguments.recipe,
                arguments.data or (environment if arguments.recipe else ""),
                arguments.niche,
                arguments.target_size,
                arguments.shop,
            )
            acts = {"run": commands.run, "up": commands.up, "look": commands.look}
            return acts[arguments.command](console, layout, wanted)
    except SupervisorError as error:
        errors.print(f"make {arguments.command}: {error}", markup=False, soft_wrap=True)
        return error.exit_code
    except OSError as error:
        if error.errno not in {errno.ENOSPC, errno.EDQUOT}:
            raise
        errors.print(
            f"make {arguments.command}: the disk is full ({error.filename or 'var'}); make room, or put it "
            "on another disk: KINDLING_VAR=…",
            markup=False,
            soft_wrap=True,
        )
        return 1
    except (KeyboardInterrupt, Interrupted):
        errors.print(f"make {arguments.command}: interrupted")
        return EXIT_INTERRUPTED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m kindling_local", description=__doc__
    )
    sub = parser.add_subparsers(dest="command", required=True, metavar="command")
    for name, text in (
        ("run", "the whole loop once; leaves nothing running"),
        ("up", "bring everything up and leave it"),
        ("look", "show what data or a shop holds, and write the recipe for it"),
    ):
        command = sub.add_parser(name, help=text)
        command.add_argument(
            "--recipe", default="", help="name, or path of a .yaml file; else demo"
        )
        command.add_argument(
            "--data",
            default="",
            help="a file or folder of reviews; with a recipe, the folder that it serves",
        )
        command.add_argument("--shop", default="", help="address of a shop")
        command.add_argument(
            "--niche", default="", help="categories in cold start, comma-separated"
        )
        command.add_argument(
            "--target-size",
            type=_whole,
            help="rows wanted per niche category and sentiment",
        )
    sub.add_parser("down", help="stop everything, also after a crash")
    sub.add_parser("status", help="what runs where")
    watch = sub.add_parser("watch", help="start again what dies; `up` starts this")
    watch.add_argument(
        "--with-parent", action="store_true", help="what it starts ends with it"
    )
    return parser


def _whole(value: str) -> int:
    if not value.isdigit():
        raise argparse.ArgumentTypeError(f"{value!r}; a whole number from 0 is wanted")
    return int(value)


def _past_percent(argv: Sequence[str]) -> None:
    """Go on from a path without `%`: MLflow hands the path of its own files to Alembic, which takes a
    percent sign for a placeholder and fails."""
    if "%" not in sys.prefix:
        return
    name = hashlib.sha256(sys.prefix.encode()).hexdigest()[:16]
    link = Path.home() / ".cache" / "kindling" / name
    link.parent.mkdir(parents=True, exist_ok=True)
    if not link.is_symlink():
        link.symlink_to(sys.prefix)
    python = str(link / "bin" / "python")
    os.execv(python, [python, "-m", "kindling_local", *argv])


@contextmanager
def _ending_signals() -> Iterator[None]:
    """SIGTERM and a closed terminal end a command as Ctrl-C does.

    And Ctrl-C itself is listened for: a shell starts what it puts in the background (`make run &`, some
    CI systems) with SIGINT ignored, and then Python installs nothing.
    """

    def end(number: int, frame: FrameType | None) -> None:
        raise Interrupted(signal.Signals(number).name)

    before = {
        number: signal.signal(number, end) for number in (signal.SIGTERM, signal.SIGHUP)
    }
    before[signal.SIGINT] = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


if __name__ == "__main__":
    _past_percent(sys.argv[1:])
    sys.exit(main())
