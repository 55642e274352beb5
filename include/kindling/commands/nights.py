"""The record by night: which there are, what changed between two, what became of a review, dropping one."""

import argparse
import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from kindling import settings as environment
from kindling.errors import ConfigurationError, DataError

if TYPE_CHECKING:
    from kindling.difference.nights import Night
    from kindling.ports.rows import RowStore


def add(commands: Any) -> None:
    """`nights`, `diff`, `history` and `drop`."""
    nights = commands.add_parser("nights", help="list the runs in the record")
    nights.set_defaults(act=list_nights)
    diff = commands.add_parser(
        "diff", help="what changed between two nights: rows, splits, figures, verdict"
    )
    diff.add_argument("before", metavar="NIGHT", help="run id of the earlier night")
    diff.add_argument("after", metavar="NIGHT", help="run id of the later night")
    diff.add_argument("--json", action="store_true", help="JSON instead of text")
    diff.set_defaults(act=show_difference)
    history = commands.add_parser(
        "history", help="when a review was new, changed and gone, night by night"
    )
    history.add_argument("review", help="id of the review")
    history.set_defaults(act=show_review)
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


def show_difference(arguments: argparse.Namespace) -> None:
    """As sentences, or as JSON."""
    from kindling import wiring
    from kindling.difference.nights import difference
    from kindling.difference.showing import lines

    rows = wiring.rows(environment.from_environment())
    found = difference(night(rows, arguments.before), night(rows, arguments.after))
    if arguments.json:
        counts = {name: keys.counts for name, keys in found.rows.items()}
        print(json.dumps({**asdict(found), "counts": counts}))
    else:
        print("\n".join(lines(found)))


def night(rows: "RowStore", run_id: str) -> "Night":
    """The rows and reports of a run; DataError where it has committed no stage."""
    from kindling.catalog import STAGE_NAMES
    from kindling.difference.nights import Night
    from kindling.records import (
        ChallengeVerdict,
        DedupeDecision,
        Label,
        Product,
        Review,
    )
    from kindling.stages.view import RunView

    view = RunView(rows, run_id)
    reports = {
        stage: report
        for stage in STAGE_NAMES
        if (report := view.report(stage)) is not None
    }
    if not reports:
        raise DataError(
            f"night {run_id!r} has committed no stage; ids of nights are the run ids that"
            " Airflow and the reports show"
        )
    return Night(
        run_id,
        rows.read(Product, run_id),
        rows.read(Review, run_id),
        rows.read(DedupeDecision, run_id),
        rows.read(ChallengeVerdict, run_id),
        rows.read(Label, run_id),
        reports,
    )
