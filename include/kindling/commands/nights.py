"""Commands about nights as a whole: what changed between two of them."""

import argparse
import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from kindling import settings as environment
from kindling.errors import DataError

if TYPE_CHECKING:
    from kindling.difference.nights import Night
    from kindling.ports.rows import RowStore


def add(commands: Any) -> None:
    """`diff`."""
    diff = commands.add_parser(
        "diff", help="what changed between two nights: rows, splits, figures, verdict"
    )
    diff.add_argument("before", metavar="NIGHT", help="run id of the earlier night")
    diff.add_argument("after", metavar="NIGHT", help="run id of the later night")
    diff.add_argument("--json", action="store_true", help="JSON instead of text")
    diff.set_defaults(act=_diff)


def _diff(arguments: argparse.Namespace) -> None:
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
