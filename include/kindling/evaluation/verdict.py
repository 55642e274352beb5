"""What the gate is told, what it asks and what it answers: pass, fail or cannot tell."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from kindling.evaluation.figures import EvaluationFigures
from kindling.evaluation.ledger import Advice
from kindling.evaluation.niche import GroupFinding
from kindling.records import Estimate

Outcome = Literal["pass", "fail", "cannot tell"]


@dataclass(frozen=True)
class Rules:
    metric: str
    bar: float
    #: How much worse than baseline or champion counts as no worse.
    tolerance: float
    min_photos: int
    #: Nats of log-loss that one temperature may save.
    max_temperature_cost: float = 0.02
    #: Root mean square gap between confidence and accuracy.
    max_calibration_error: float = 0.1
    #: Accuracy that texts written worse may cost.
    max_robustness_loss: float = 0.1
    #: Milliseconds of the 95th percentile; None where the recipe asks for none.
    max_latency_ms: float | None = None
    #: Accuracy that a blurred or dark photo may cost.
    max_photo_loss: float = 0.1
    #: Accuracy that a photo of another product may cost: the text has to hold against it.
    max_wrong_photo_loss: float = 0.25
    #: How much worse on the niche, in balanced accuracy, counts as no worse: there are few rows.
    niche_tolerance: float = 0.15


@dataclass(frozen=True)
class Evidence:
    """What the evaluation found; differences are candidate minus the other, on the same golden rows."""

    #: The recipe's figure of the candidate.
    figure: Estimate
    #: Three-way macro-F1.
    over_baseline: Estimate
    over_constant: Estimate
    #: The recipe's figure; None while there is no other champion.
    over_champion: Estimate | None
    #: Log-loss that shuffling the photos costs; None where the model or the holdout has no photos.
    photo_gain: Estimate | None
    golden_photos: int
    #: Slices of 100 rows and more shown worse than the champion, on the first night the baseline.
    worse_slices: Sequence[str] = ()
    #: Three-way macro-F1 over random answers; None where that was not measured.
    over_random: Estimate | None = None
    #: With photo minus without, in macro-F1, and without minus with in log-loss.
    over_text: Estimate | None = None
    over_text_log_loss: Estimate | None = None
    #: Log-loss minus the baseline's, and what one temperature would save.
    log_loss_over_baseline: Estimate | None = None
    temperature_cost: Estimate | None = None
    calibration_error: Estimate | None = None
    niche_asked: bool = False
    niche: Sequence[GroupFinding] = ()
    #: Golden rows whose text or photo the candidate was trained on.
    leaked_rows: int = 0
    #: Change of the texts -> accuracy after minus before.
    robustness: Mapping[str, Estimate] = field(default_factory=dict)
    #: Change of the photo -> accuracy after minus before.
    photo_robustness: Mapping[str, Estimate] = field(default_factory=dict)
    #: Golden rows that the champion was trained on, and whether it could be compared with.
    champion_saw: int = 0
    champion_version: str | None = None
    #: 95th percentile of a request in milliseconds, the slowest kind; None where not measured.
    latency_ms: float | None = None
    #: What the looks of other nights allow; None where no ledger is kept.
    advice: Advice | None = None
    #: Sentiment -> golden rows.
    class_rows: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def of(
        cls, found: EvaluationFigures, metric: str, advice: Advice | None = None
    ) -> "Evidence":
        """Of one evaluation; `metric` is the recipe's. KeyError where it was not measured."""
        own, minus, photo = found.systems["candidate"], found.differences, found.photo
        return cls(
            figure=own[metric],
            over_baseline=minus["baseline"]["three_way_macro_f1"],
            over_constant=minus["constant"]["three_way_macro_f1"],
            over_random=minus["random"]["three_way_macro_f1"],
            over_champion=minus["champion"][metric] if found.compared else None,
            photo_gain=photo.log_loss_gain if photo else None,
            golden_photos=found.golden_photos,
            worse_slices=found.worse_slices,
            over_text=photo.over_text if photo else None,
            over_text_log_loss=photo.over_text_log_loss if photo else None,
            log_loss_over_baseline=minus["baseline"]["log_loss"],
            temperature_cost=found.temperature_cost,
            calibration_error=own["calibration_error"],
            niche_asked=found.niche_asked,
            niche=found.niche,
            leaked_rows=found.leaked_rows,
            robustness=found.robustness,
            photo_robustness=found.photo_robustness,
            champion_saw=found.champion_saw,
            champion_version=found.champion_version,
            latency_ms=max((one.p95 for one in found.latencies.values()), default=None),
            advice=advice,
            class_rows=found.class_rows,
        )


@dataclass(frozen=True)
class Check:
    """One criterion: its stable code, what it asks, what was found and what it would take."""

    code: str
    name: str
    verdict: Outcome
    detail: str
    #: What it would take to know or to pass; empty where it passes.
    needed: str = ""
    #: False where there was nothing to judge: that stops no model, and is no praise either.
    asked: bool = True

    @classmethod
    def not_asked(cls, code: str, name: str, why: str) -> "Check":
        """A criterion that this night has nothing to judge by."""
        return cls(code, name, "pass", why, asked=False)

    @property
    def passed(self) -> bool:
        return self.verdict == "pass"

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready, `passed` beside the rest."""
        return asdict(self) | {"passed": self.passed}


@dataclass(frozen=True)
class Verdict:
    checks: tuple[Check, ...]

    @property
    def promoted(self) -> bool:
        return all(check.passed for check in self.checks)

    @property
    def outcome(self) -> Outcome:
        """fail where any criterion fails, else cannot tell where any cannot."""
        seen = {check.verdict for check in self.checks}
        return "fail" if "fail" in seen else "cannot tell" if len(seen) > 1 else "pass"

    @property
    def reasons(self) -> list[str]:
        """Why not, one line a criterion that does not pass."""
        return [
            f"{check.name}: {check.detail}"
            + (f"; {check.needed}" if check.needed else "")
            for check in self.checks
            if not check.passed
        ]
