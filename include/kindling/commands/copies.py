"""Commands about copies: why a review is in its cluster, and what another threshold would say."""

import argparse
from typing import TYPE_CHECKING, Any

from kindling import recipe as recipes
from kindling import settings as environment
from kindling.errors import ConfigurationError, DataError

if TYPE_CHECKING:
    from kindling.ports.rows import RowStore
    from kindling.records import DedupeDecision

#: Copies of a cluster, and released ones, that are listed.
_SHOWN = 20


def add(commands: Any) -> None:
    """`explain` and `rethreshold`."""
    explain = commands.add_parser(
        "explain", help="why a review is, or two reviews are, in one cluster of copies"
    )
    explain.add_argument("review", help="id of the review")
    explain.add_argument("other", nargs="?", default="", help="id of another")
    rethreshold = commands.add_parser(
        "rethreshold",
        help="which copies would stay at a higher threshold, without a rerun",
    )
    rethreshold.add_argument("threshold", type=float, nargs="+")
    for parser, act in ((explain, _explain), (rethreshold, _rethreshold)):
        parser.add_argument("--run", required=True)
        parser.add_argument("--recipe", required=True)
        parser.set_defaults(act=act)


def _explain(arguments: argparse.Namespace) -> None:
    from kindling import wiring
    from kindling.dedupe.explaining import alike
    from kindling.dedupe.texts import read_texts
    from kindling.records import Review
    from kindling.stages.dedupe import rules_of

    rows = wiring.rows(environment.from_environment())
    decisions = _decisions(rows, arguments.run)
    one = _named(decisions, arguments.review, arguments.run)
    other = _named(decisions, arguments.other or one.cluster_id, arguments.run)
    print(_told(one))
    if other.review_id == one.review_id:
        copies = [
            copy.review_id
            for copy in decisions.values()
            if copy.cluster_id == one.review_id != copy.review_id
        ]
        print(f"it stands for {len(copies)} copies: {', '.join(copies[:_SHOWN])}")
        return
    print(_told(other))
    rules = rules_of(recipes.load(arguments.recipe).dedupe)
    first, second = one.review_id, other.review_id
    texts = read_texts(rows.each(Review, arguments.run, [first, second]), rules)
    found = alike(texts, first, second, rules)
    estimated = "" if found.estimated is None else f", estimated {found.estimated:.3f}"
    print(
        f"similarity {found.similarity:.3f}{estimated}, threshold {rules.threshold}; "
        f"{found.bands_shared} of {found.bands} bands shared"
    )


def _rethreshold(arguments: argparse.Namespace) -> None:
    from kindling import wiring
    from kindling.dedupe.explaining import rethresholded

    shipped = recipes.load(arguments.recipe).dedupe.threshold
    for threshold in arguments.threshold:
        if not shipped <= threshold <= 1:
            raise ConfigurationError(
                f"threshold {threshold} is not between the recipe's {shipped} and 1: pairs that "
                "are less alike were not recorded; lower dedupe.threshold and run dedupe"
            )
    rows = wiring.rows(environment.from_environment())
    decisions = _decisions(rows, arguments.run).values()
    for one in rethresholded(decisions, arguments.threshold):
        shown = ", ".join(one.released[:_SHOWN])
        print(
            f"{one.threshold}: {one.copies} copies, {len(one.released)} would stay"
            + (f": {shown}" if shown else "")
        )


def _decisions(rows: "RowStore", run_id: str) -> "dict[str, DedupeDecision]":
    from kindling.records import DedupeDecision

    found = {one.review_id: one for one in rows.each(DedupeDecision, run_id)}
    if not found:
        raise DataError(f"run {run_id!r} has no decision of dedupe; run it first")
    return found


def _named(
    decisions: "dict[str, DedupeDecision]", review_id: str, run_id: str
) -> "DedupeDecision":
    if review_id not in decisions:
        raise ConfigurationError(
            f"review {review_id!r} is not in run {run_id!r}; ids are those of `review`"
        )
    return decisions[review_id]


def _told(one: "DedupeDecision") -> str:
    if one.cluster_id == one.review_id:
        return f"{one.review_id}: {one.reason}, {one.split}"
    return (
        f"{one.review_id}: {one.reason} of {one.cluster_id}, "
        f"similarity {one.similarity:.3f}, {one.split}"
    )
