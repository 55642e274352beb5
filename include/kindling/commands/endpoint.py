"""Commands about what serves: the endpoint, its keys, and the champion behind it."""

import argparse
import dataclasses
import json
import sys
from pathlib import Path
from typing import Any

from kindling import settings as environment

EXIT_NO_CHAMPION = 3


def add(commands: Any) -> None:
    """`serve`, `key` and `champion`."""
    serve = commands.add_parser("serve", help="answer POST /analyze with the champion")
    serve.add_argument("--host", default="127.0.0.1")
    serve.add_argument("--port", type=int, default=8000)
    serve.set_defaults(act=_serve)

    key = commands.add_parser("key", help="add a key for the endpoint and print it")
    key.add_argument("--file", type=Path, required=True, help="KINDLING_API_KEYS")
    key.add_argument(
        "--scopes",
        default="analyze,search",
        help="of analyze, search, feedback, observe, train",
    )
    key.add_argument("--per-minute", type=int, default=600)
    key.add_argument("--note", default="", help="whose it is")
    key.set_defaults(act=_key)

    champion = commands.add_parser(
        "champion", help="print the version that serves, champion or provisional"
    )
    champion.set_defaults(act=_champion)


def _serve(arguments: argparse.Namespace) -> int:
    from kindling.serving.server import serve

    return serve(environment.from_environment(), arguments.host, arguments.port)


def _key(arguments: argparse.Namespace) -> None:
    from kindling.serving.keys import make_key

    scopes = [one.strip() for one in arguments.scopes.split(",") if one.strip()]
    print(make_key(arguments.file, scopes, arguments.per_minute, arguments.note))


def _champion(arguments: argparse.Namespace) -> int:
    settings = environment.from_environment()
    # Before the registry's client, which takes seconds to import.
    settings.required("mlflow_url")
    from kindling import wiring

    champion = wiring.registry(settings).serving()
    if champion is None:
        print("no model serves yet: run the pipeline first", file=sys.stderr)
        return EXIT_NO_CHAMPION
    print(json.dumps(dataclasses.asdict(champion)))
    return 0
