"""What changed between two nights: rows, splits, synthetic rows, figures and the gate's codes."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from kindling.observe.lineage import sha256_of
from kindling.records import (
    ChallengeVerdict,
    DedupeDecision,
    Label,
    Product,
    Review,
    StageReport,
)

#: What of a review is its content; where it was found may change without it.
_CONTENT = ("title", "body", "rating", "photo_id", "product_id", "category")


@dataclass(frozen=True)
class Night:
    """One run's rows and the last report of each of its stages."""

    run_id: str
    products: Sequence[Product]
    reviews: Sequence[Review]
    decisions: Sequence[DedupeDecision]
    verdicts: Sequence[ChallengeVerdict]
    labels: Sequence[Label]
    reports: Mapping[str, StageReport]


@dataclass(frozen=True)
class Keys:
    """Keys of one kind of row: there in the second night only, in both and other, in the first only."""

    before: int
    after: int
    new: tuple[str, ...]
    changed: tuple[str, ...]
    gone: tuple[str, ...]

    @property
    def counts(self) -> dict[str, int]:
        """How many of each."""
        return {
            "before": self.before,
            "after": self.after,
            "new": len(self.new),
            "changed": len(self.changed),
            "gone": len(self.gone),
        }


@dataclass(frozen=True)
class Pair:
    """One figure of both nights; None where a night has none of that name."""

    name: str
    before: Any
    after: Any


@dataclass(frozen=True)
class Difference:
    """All that changed. Rows are named by their keys; figures keep their intervals."""

    before: str
    after: str
    rows: Mapping[str, Keys]
    #: Split -> kept real rows, before and after.
    splits: Mapping[str, tuple[int, int]]
    #: Reviews that are kept in both nights, in another split: (review, before, after).
    moved: tuple[tuple[str, str, str], ...]
    #: Synthetic rows admitted, before and after.
    admitted: tuple[int, int]
    figures: tuple[Pair, ...]
    #: The gate's outcome and the codes of checks that did not pass.
    verdicts: Pair
    #: Stages of which inputs or code differ.
    stages: Mapping[str, str] = field(default_factory=dict)


def difference(before: Night, after: Night) -> Difference:
    """What a person asks about two nights, from their rows and reports alone."""
    first, second = _splits(before), _splits(after)
    shares = (Counter(first.values()), Counter(second.values()))
    return Difference(
        before.run_id,
        after.run_id,
        rows={
            "products": _keys(before.products, after.products, _product),
            "reviews": _keys(_real(before), _real(after), _review),
            "synthetic": _keys(_made(before), _made(after), _review),
            "labels": _keys(before.labels, after.labels, _label),
        },
        splits={
            split: (shares[0][split], shares[1][split])
            for split in sorted(shares[0].keys() | shares[1].keys())
        },
        moved=tuple(
            (key, first[key], second[key])
            for key in sorted(first.keys() & second.keys())
            if first[key] != second[key]
        ),
        admitted=(_admitted(before), _admitted(after)),
        figures=_figures(before, after),
        verdicts=Pair("verdict", _verdict(before), _verdict(after)),
        stages=_stages(before, after),
    )


def _keys(
    before: Sequence[Any], after: Sequence[Any], content: Callable[[Any], Any]
) -> Keys:
    first = {getattr(one, one.key): sha256_of(content(one)) for one in before}
    second = {getattr(one, one.key): sha256_of(content(one)) for one in after}
    both = first.keys() & second.keys()
    return Keys(
        len(first),
        len(second),
        new=tuple(sorted(second.keys() - first.keys())),
        changed=tuple(sorted(key for key in both if first[key] != second[key])),
        gone=tuple(sorted(first.keys() - second.keys())),
    )


def _product(row: Product) -> list[str]:
    return [row.name, row.category]


def _review(row: Review) -> list[Any]:
    return [getattr(row, name) for name in _CONTENT]


def _label(row: Label) -> list[str]:
    return [row.sentiment, row.band]


def _real(night: Night) -> list[Review]:
    return [one for one in night.reviews if one.origin == "scraped"]


def _made(night: Night) -> list[Review]:
    return [one for one in night.reviews if one.origin == "synthetic"]


def _splits(night: Night) -> dict[str, str]:
    return {one.review_id: one.split for one in night.decisions if one.kept}


def _admitted(night: Night) -> int:
    return sum(one.admitted for one in night.verdicts)


def _figures(before: Night, after: Night) -> tuple[Pair, ...]:
    """Every figure with an interval that `train` or `evaluate` of either night printed."""
    first, second = _estimates(before), _estimates(after)
    return tuple(
        Pair(name, first.get(name), second.get(name))
        for name in sorted(first.keys() | second.keys())
    )


def _estimates(night: Night) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for stage in ("train", "evaluate"):
        report = night.reports.get(stage)
        if report is not None:
            _collect(report.figures, stage, found)
    return found


def _collect(value: Any, name: str, into: dict[str, Any]) -> None:
    if not isinstance(value, Mapping):
        return
    if {"value", "low", "high", "n"} <= value.keys():
        into[name] = dict(value)
        return
    for key, one in value.items():
        _collect(one, f"{name}.{key}", into)


def _verdict(night: Night) -> dict[str, Any] | None:
    report = night.reports.get("promote")
    if report is None:
        return None
    checks = report.figures.get("checks", ())
    return {
        "verdict": report.figures.get("verdict"),
        "codes": [one["code"] for one in checks if one["verdict"] != "pass"],
        "champion": report.figures.get("champion_version"),
        "serving": report.figures.get("serving_version"),
    }


def _stages(before: Night, after: Night) -> dict[str, str]:
    found = {}
    for stage in before.reports.keys() | after.reports.keys():
        first, second = before.reports.get(stage), after.reports.get(stage)
        if first is None or second is None:
            found[stage] = "only in " + (before if first else after).run_id
        elif first.code_sha256 != second.code_sha256:
            found[stage] = "other code"
        elif first.inputs_sha256 != second.inputs_sha256:
            found[stage] = "other inputs"
    return dict(sorted(found.items()))
