"""A command about answers of any model: what a file of truth and predictions shows, and what not."""

import argparse
import dataclasses
import json
from pathlib import Path
from typing import Any


def add(commands: Any) -> None:
    """`audit`."""
    audit = commands.add_parser(
        "audit",
        help="judge a CSV of truth, prediction and group from any model",
        description=(
            "Figures with intervals over groups, paired tests against a second prediction,"
            " controls for leaks, calibration where there are probabilities (columns"
            " p_CLASS, or confidence), and what all of it does not show. Columns are known"
            " by their names or by the flags."
        ),
    )
    audit.add_argument(
        "file", type=Path, help="CSV, UTF-8, with a line of column names"
    )
    audit.add_argument("--truth", default="", metavar="COLUMN")
    audit.add_argument("--prediction", default="", metavar="COLUMN")
    audit.add_argument(
        "--group",
        default="",
        metavar="COLUMN",
        help="what ties rows together: product, person, page",
    )
    audit.add_argument(
        "--second", default="", metavar="COLUMN", help="another model's prediction"
    )
    audit.add_argument("--seed", type=int, default=0, help="of the controls' deals")
    audit.add_argument("--json", action="store_true", help="one JSON object")
    audit.set_defaults(act=_audit)


def _audit(arguments: argparse.Namespace) -> None:
    from kindling.evaluation.audit import audit
    from kindling.evaluation.audit_table import Columns, read
    from kindling.evaluation.audit_text import text

    columns = Columns(
        arguments.truth, arguments.prediction, arguments.group, arguments.second
    )
    found = audit(read(arguments.file, columns), arguments.seed)
    if arguments.json:
        print(json.dumps(dataclasses.asdict(found), indent=1))
    else:
        print(text(found))
