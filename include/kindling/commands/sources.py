"""Commands about sources that are asked night after night: their pages, their health, their policy."""

import argparse
import json
from pathlib import Path
from typing import Any

from kindling import recipe as recipes
from kindling import settings as environment


def add(commands: Any) -> None:
    """`strategy`, `replay`, `archive` and `accept`."""
    strategy = commands.add_parser(
        "strategy",
        help="write what the page-budget policy decided, spent and got, night by night",
    )
    strategy.add_argument("--recipe", required=True)
    strategy.add_argument("--out", type=Path, default=Path("strategy_memory.json"))
    strategy.set_defaults(act=_strategy)

    replay = commands.add_parser(
        "replay",
        help="read a run's kept pages with today's rules and compare; no request is made",
    )
    _of_a_run(replay)
    replay.set_defaults(act=_replay)

    archive = commands.add_parser(
        "archive", help="write a run's pages and photos of one source as a WARC file"
    )
    _of_a_run(archive)
    archive.add_argument("--source", required=True, help="its name in the report")
    archive.add_argument("--out", type=Path, default=Path("pages.warc.gz"))
    archive.set_defaults(act=_archive)

    accept = commands.add_parser(
        "accept",
        help="trust a source's night in spite of its source_alarm: it is the new normal",
    )
    _of_a_run(accept)
    accept.add_argument("--source", required=True, help="its name in the message")
    accept.set_defaults(act=_accept)


def _of_a_run(command: argparse.ArgumentParser) -> None:
    command.add_argument("--run", required=True)
    command.add_argument("--recipe", required=True)


def _strategy(arguments: argparse.Namespace) -> None:
    from kindling import wiring
    from kindling.stages.strategy import memory

    standing = wiring.standing(environment.from_environment())
    recipe = recipes.load(arguments.recipe).name
    arguments.out.write_bytes(memory(standing, recipe))
    print(arguments.out)


def _replay(arguments: argparse.Namespace) -> int:
    from kindling import wiring
    from kindling.records import Page, Review
    from kindling.stages.replay import Stored, replay

    settings = environment.from_environment()
    rows, run = wiring.rows(settings), arguments.run
    compared = replay(
        recipes.load(arguments.recipe),
        run,
        rows.read(Page, run),
        rows.read(Review, run, origin="scraped"),
        Stored(wiring.objects(settings), wiring.standing(settings), settings.shop_url),
    )
    for one in compared:
        print(json.dumps(one, ensure_ascii=False))
    return 0 if all(one["equal"] for one in compared) else 1


def _archive(arguments: argparse.Namespace) -> None:
    from kindling import wiring
    from kindling.stages.replay import archived

    settings = environment.from_environment()
    recipe = recipes.load(arguments.recipe).name
    pieces = archived(
        wiring.standing(settings),
        wiring.objects(settings),
        recipe,
        arguments.run,
        arguments.source,
    )
    with arguments.out.open("wb") as file:
        for piece in pieces:
            file.write(piece)
    print(arguments.out)


def _accept(arguments: argparse.Namespace) -> None:
    from kindling import wiring
    from kindling.stages.source_health import accept

    standing = wiring.standing(environment.from_environment())
    recipe = recipes.load(arguments.recipe).name
    accept(standing, recipe, arguments.run, arguments.source)
    print(f"{arguments.source}: night {arguments.run} is trusted; clear its task")
