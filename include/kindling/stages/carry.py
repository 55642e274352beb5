"""What a night keeps of the last one's judgements, instead of making all of them again.

Synthesis, its challenge and the labelling model learn from all train reviews; a few new reviews
change little of what they learn, and everything of what it costs. So a stage notes which reviews it
learned from (its basis), and later nights keep its rows while few of those reviews have changed and
all of them are still in the record. A review that was taken out of the record (forgotten) makes the
next night learn anew.
"""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from pydantic import BaseModel

from kindling.measure.data_hash import data_hash
from kindling.observe.lineage import sha256_of, stage_code_sha256
from kindling.records import Review, StageReport
from kindling.stages.contract import Context
from kindling.stages.view import Earlier, RunView


@dataclass(frozen=True)
class Basis:
    """The train reviews that a stage learned from, and the run that holds them."""

    run_id: str
    reviews: int
    sha256: str

    @classmethod
    def of(cls, run_id: str, reviews: Iterable[Review]) -> "Basis":
        """The basis that these reviews are."""
        known = states(reviews)
        return cls(run_id, len(known), data_hash(known.items()))

    def to_dict(self) -> dict[str, Any]:
        """For the stage's figures."""
        return asdict(self)


@dataclass(frozen=True)
class Carried:
    """The night to go on from: its view and report, and the basis of its work."""

    view: RunView
    report: StageReport
    basis: Basis
    #: Share of the basis that is new, changed or gone since.
    changed: float

    @property
    def figures(self) -> dict[str, Any]:
        """What the report says of it."""
        return {
            "basis": self.basis.to_dict(),
            "carried": f"from run {self.basis.run_id}: {self.changed:.1%} of its "
            f"{self.basis.reviews} train reviews have changed since",
        }


def settings_of(stage: str, config: BaseModel, context: Context) -> str:
    """Hash of all that decides a stage's work besides rows."""
    return sha256_of(
        {
            "config": config.model_dump(mode="json"),
            "niche": context.niche,
            "target_size": context.target_size,
            "seed": context.seed,
            "code": stage_code_sha256(stage),
        }
    )


def states(reviews: Iterable[Review]) -> dict[str, str]:
    """Review id -> all that a model learns from it."""
    return {one.review_id: f"{one.rating} {one.category} {one.text}" for one in reviews}


def carried(
    earlier: Earlier, stage: str, now: Iterable[Review], share: float, settings: str
) -> Carried | None:
    """The night whose work still holds; None where the stage has to do all of it.

    `settings` is all that decides the work besides rows; it has to be what it was then.
    """
    view = earlier.night(stage)
    report = view.report(stage) if view else None
    if view is None or report is None or report.figures.get("settings") != settings:
        return None
    stored: Mapping[str, Any] | None = report.figures.get("basis")
    if stored is None:
        return None
    basis = Basis(**stored)
    learned = earlier.named(basis.run_id).real("train")
    if Basis.of(basis.run_id, learned) != basis:
        return None
    before, after = states(learned), states(now)
    ids = before.keys() | after.keys()
    changed = sum(before.get(one) != after.get(one) for one in ids) / len(before)
    return Carried(view, report, basis, changed) if changed <= share else None
