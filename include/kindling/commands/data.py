"""Commands about data and recipes: what a file or shop holds, what a recipe says, the database's schema."""

import argparse
import json
from pathlib import Path
from typing import Any

from kindling import recipe as recipes
from kindling import settings as environment
from kindling.errors import DataError


def add(commands: Any) -> None:
    """`look`, `example`, `recipe` and `migrate`."""
    look = commands.add_parser(
        "look", help="show what a file, a folder or a shop holds, and write its recipe"
    )
    what = look.add_mutually_exclusive_group(required=True)
    what.add_argument("--data", default="", help="a file or folder of reviews")
    what.add_argument("--shop", default="", help="address of a shop")
    look.add_argument(
        "--niche", default="", help="categories in cold start, comma-separated"
    )
    look.add_argument(
        "--out", type=Path, default=Path("var/recipes"), help="folder of the recipe"
    )
    look.set_defaults(act=_look)

    example = commands.add_parser(
        "example", help="print one review of a run, with its photo where it has one"
    )
    example.add_argument("--run", required=True)
    example.set_defaults(act=_example)

    show = commands.add_parser("recipe", help="print a recipe, resolved, as JSON")
    show.add_argument("name")
    show.set_defaults(act=_recipe)

    migrate = commands.add_parser("migrate", help="apply sql/migrations")
    migrate.add_argument("--folder", type=Path, default=_migrations())
    migrate.set_defaults(act=_migrate)


def _look(arguments: argparse.Namespace) -> None:
    from kindling.look.command import Asked, look

    settings = environment.from_environment()
    niche = tuple(one.strip() for one in arguments.niche.split(",") if one.strip())
    look(Asked(arguments.data, arguments.shop, niche, arguments.out), settings)


def _example(arguments: argparse.Namespace) -> None:
    from kindling import wiring
    from kindling.records import Photo, Review

    rows = wiring.rows(environment.from_environment())
    reviews = rows.read(Review, arguments.run, origin="scraped")
    if not reviews:
        raise DataError(f"run {arguments.run!r} holds no review")
    # One that is read in seconds, with a photo where any has one.
    chosen = min(reviews, key=lambda one: (not one.photo_id, abs(len(one.body) - 120)))
    photos = rows.read(Photo, arguments.run, photo_id=chosen.photo_id or "")
    uri = photos[0].uri if photos else ""
    print(json.dumps({"text": chosen.text, "photo": uri}))


def _recipe(arguments: argparse.Namespace) -> None:
    print(recipes.load(arguments.name).model_dump_json(indent=2))


def _migrations() -> Path:
    return Path(__file__).resolve().parents[3] / "sql" / "migrations"


def _migrate(arguments: argparse.Namespace) -> None:
    from kindling.stores.migrations import migrate

    url = environment.from_environment().required("database_url")
    applied = migrate(url, arguments.folder)
    print(f"applied {', '.join(applied)}" if applied else "nothing to apply")
