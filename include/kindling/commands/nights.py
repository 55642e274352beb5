"""The record by night: which there are, what became of a review, and dropping one."""

import argparse
from typing import Any

from kindling import settings as environment


def add(commands: Any) -> None:
    """`nights`, `seen` and `drop`."""
    nights = commands.add_parser("nights", help="list the runs in the record")
    nights.set_defaults(act=list_nights)
    seen = commands.add_parser(
        "seen", help="when a review was new, changed and gone, night by night"
    )
    seen.add_argument("review", help="id of the review")
    seen.set_defaults(act=show_review)
    drop = commands.add_parser(
        "drop", help="delete a run's rows; the nights that stand on it keep theirs"
    )
    drop.add_argument("run", help="run id")
    drop.set_defaults(act=drop_night)


def list_nights(arguments: argparse.Namespace) -> None:
    """One line a run, oldest first."""
    from kindling import wiring

    for one in wiring.rows(environment.from_environment()).nights():
        stands_on = one.base_run_id or "nothing: it holds all of its rows"
        print(
            f"{one.started_at:%Y-%m-%d %H:%M} {one.run_id} ({one.recipe}): "
            f"{one.stages} stages, {one.reviews_written} reviews written, "
            f"{one.reviews_gone} gone, on {stands_on}"
        )


def show_review(arguments: argparse.Namespace) -> None:
    """One line an event."""
    from kindling import wiring
    from kindling.errors import ConfigurationError

    found = wiring.rows(environment.from_environment()).seen(arguments.review)
    if not found:
        raise ConfigurationError(
            f"review {arguments.review!r} is in no run; ids are those of the table `review`"
        )
    for one in found:
        print(f"{one.at:%Y-%m-%d %H:%M} {one.event} in {one.run_id} ({one.recipe})")


def drop_night(arguments: argparse.Namespace) -> None:
    """Delete the run; ConfigurationError where there is none of that id."""
    from kindling import wiring

    wiring.rows(environment.from_environment()).drop_run(arguments.run)
    print(f"{arguments.run} is dropped")
