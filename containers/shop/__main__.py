"""`python containers/shop make|serve`: makes catalogue folders and serves them."""

import argparse
import signal
import sys
from pathlib import Path

from shop.calendar import day, on
from shop.clothing.source import EXPECTED
from shop.errors import BadInput
from shop.kinds import KINDS, SEED, make
from shop.reading import load
from shop.web.server import serve


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="shop", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    maker = commands.add_parser(
        "make", help="make a catalogue folder; a no-op when it is there already"
    )
    maker.add_argument("--kind", required=True, choices=KINDS)
    maker.add_argument("--out", required=True, type=Path, help="the catalogue folder")
    maker.add_argument(
        "--data", type=Path, help="folder of real data, read by --kind clothing only"
    )
    maker.add_argument("--seed", type=int, default=SEED)
    checker = commands.add_parser(
        "check", help="whether the data that a kind is made from is there"
    )
    checker.add_argument("--kind", required=True, choices=KINDS)
    checker.add_argument("--data", type=Path)
    server = commands.add_parser(
        "serve", help="serve a catalogue folder over HTTP until SIGTERM or Ctrl-C"
    )
    server.add_argument("--catalogue", required=True, type=Path)
    server.add_argument(
        "--port",
        required=True,
        type=int,
        help="0 for any free one, which is then printed",
    )
    server.add_argument("--host", default="127.0.0.1")
    server.add_argument(
        "--date",
        default="",
        help="show the shop as it is on that day (YYYY-MM-DD); without it, all that the catalogue holds",
    )
    return parser


def _check(kind: str, data: Path | None) -> None:
    """A look at names only: making takes long, and reads and checks what is in the files."""
    if kind != "clothing":
        return
    if data is None:
        raise BadInput(f"--kind clothing needs --data; {EXPECTED}")
    for name in ("reviews.csv.gz", "photos.csv"):
        if not (data / "clothing" / name).is_file():
            raise BadInput(f"{data / 'clothing' / name} is missing; {EXPECTED}")


def _make(arguments: argparse.Namespace) -> None:
    # A terminated maker takes its half-written folder with it.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    if arguments.seed < 0:
        raise BadInput(f"--seed is {arguments.seed}, expected 0 or more")
    written = make(arguments.kind, arguments.out, arguments.seed, arguments.data)
    print(
        f"shop: {arguments.out}: {arguments.kind} "
        + ("made" if written else "is there already")
    )


def main(argv: list[str] | None = None) -> int:
    """Run one command; the exit code: 0 done, 1 the machine failed, 2 bad input."""
    arguments = _arguments().parse_args(argv)
    try:
        if arguments.command == "make":
            _make(arguments)
        elif arguments.command == "check":
            _check(arguments.kind, arguments.data)
        else:
            catalogue = load(arguments.catalogue)
            if arguments.date:
                catalogue = on(catalogue, day(arguments.date))
            serve(catalogue, arguments.host, arguments.port)
    except BadInput as error:
        print(f"shop: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        where = error.filename or getattr(arguments, "out", None) or "the catalogue"
        print(f"shop: {where}: {error.strerror or error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
