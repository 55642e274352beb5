"""The one evaluator: every printed quality figure of a model comes from here, with n, interval and data hash."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from kindling.evaluation.controls import (
    Ask,
    Conflict,
    PhotoControl,
    conflict,
    constant,
    photo_control,
    random_guess,
)
from kindling.evaluation.niche import GroupFinding, niche_findings
from kindling.evaluation.slices import SliceFigure, figures, slices
from kindling.evaluation.temperature import temperature_cost
from kindling.measure.estimates import difference, estimate
from kindling.measure.metrics import (
    ACCURACY,
    BRIER,
    LOG_LOSS,
    POLARITY,
    THREE_WAY,
    CalibrationBin,
    calibration_edges,
    calibration_error,
    class_metrics,
    confusion,
    reliability,
)
from kindling.measure.sample import Sample
from kindling.records import SENTIMENTS, Estimate, Example

GATED = (THREE_WAY, POLARITY)
WORST_ROWS = 10
#: Share of the rows that a champion must not have been trained on to be compared with.
MIN_FAIR = 0.5
_STREAM = 0x65766C


@dataclass(frozen=True)
class Answers:
    """What each system said about the same rows, [n, 3] each."""

    candidate: np.ndarray
    baseline: np.ndarray
    #: None while there is no other champion.
    champion: np.ndarray | None
    #: int64 [m]: the rows that have a photo.
    pictured: np.ndarray
    #: What the candidate says to other pairs of text and photo; None where it reads no photos.
    ask: Ask | None
    #: The pinned model that every night is measured beside; None where the candidate is it.
    reference: np.ndarray | None = None
    #: bool [n]: rows that the champion was trained on; None where it was on none.
    champion_saw: np.ndarray | None = None

    @property
    def fair(self) -> np.ndarray:
        """bool [n]: rows that the champion was not trained on."""
        if self.champion_saw is None:
            return np.ones(len(self.candidate), dtype=bool)
        return ~self.champion_saw

    @property
    def rival(self) -> np.ndarray | None:
        """The champion, unless it was trained on so many of the rows that nothing is fair."""
        return self.champion if self.fair.mean() > MIN_FAIR else None


@dataclass(frozen=True)
class Mistake:
    row: int
    #: Index in SENTIMENTS.
    answer: int
    confidence: float


@dataclass(frozen=True)
class Evaluation:
    rows: int
    products: int
    photos: int
    data_sha256: str
    #: System -> metric -> figure; systems are candidate, baseline, champion, reference, constant,
    #: random.
    systems: Mapping[str, Mapping[str, Estimate]]
    #: Sentiment -> precision, recall, F1 of the candidate.
    classes: Mapping[str, Mapping[str, Estimate]]
    #: Other system -> metric -> candidate minus other.
    differences: Mapping[str, Mapping[str, Estimate]]
    #: System -> [3][3] counts, rows are the truth.
    confusions: Mapping[str, Sequence[Sequence[int]]]
    calibration: Sequence[CalibrationBin]
    #: None where model or holdout has no photos.
    photo: PhotoControl | None
    conflict: Conflict | None
    slices: Sequence[SliceFigure]
    #: Sentiment -> rows.
    class_rows: Mapping[str, int]
    #: Log-loss that one temperature would save: what wrong confidence costs.
    temperature_cost: Estimate
    #: Whether the run has a niche at all.
    niche_asked: bool
    #: The niche and its categories against the champion, on the first night against the baseline.
    niche: Sequence[GroupFinding]
    #: Confident mistakes, the most confident first.
    worst: Sequence[Mistake]
    #: Rows that the champion was trained on, and whether it could be compared with.
    champion_saw: int = 0
    compared: bool = False


def evaluate(
    examples: Sequence[Example],
    niche: Sequence[str],
    answers: Answers,
    seed: int,
) -> Evaluation:
    """All figures of one holdout. DataError when it is empty or has no polar row."""
    # A stream of its own: rows that were drawn by the same seed would tell the random
    # predictor their truth.
    sample, rng = Sample.of(examples), np.random.default_rng((seed, _STREAM))
    systems = {
        "candidate": answers.candidate,
        "baseline": answers.baseline,
        "constant": constant(sample.truth),
        "random": random_guess(sample.truth, rng),
    }
    others = {"champion": answers.champion, "reference": answers.reference}
    systems |= {name: said for name, said in others.items() if said is not None}
    photo, clash = _photo_figures(sample, answers, rng)
    return Evaluation(
        rows=len(sample),
        products=len(np.unique(sample.products)),
        photos=len(answers.pictured),
        data_sha256=sample.sha256,
        systems={name: _system(name, sample, said) for name, said in systems.items()},
        classes=_classes(sample, answers.candidate),
        differences=_differences(sample, systems, answers),
        confusions={
            name: confusion(sample.truth, systems[name]).tolist()
            for name in ("candidate", "baseline")
        },
        calibration=reliability(sample.truth, answers.candidate),
        photo=photo,
        conflict=clash,
        slices=figures(
            slices(examples, niche),
            sample,
            answers.candidate,
            answers.baseline,
            answers.rival,
            answers.fair,
        ),
        class_rows=dict(
            zip(
                SENTIMENTS, np.bincount(sample.truth, minlength=3).tolist(), strict=True
            )
        ),
        temperature_cost=temperature_cost(sample, answers.candidate),
        niche_asked=bool(niche),
        niche=_niche(examples, niche, sample, answers),
        worst=_worst(sample.truth, answers.candidate),
        champion_saw=int((~answers.fair).sum()),
        compared=answers.rival is not None,
    )


def _classes(sample: Sample, said: np.ndarray) -> dict[str, dict[str, Estimate]]:
    return {
        label: {
            metric.name.removeprefix(f"{label}_"): estimate(metric, sample, said)
            for metric in class_metrics(label, at)
        }
        for at, label in enumerate(SENTIMENTS)
    }


def _differences(
    sample: Sample, systems: Mapping[str, np.ndarray], answers: Answers
) -> dict[str, dict[str, Estimate]]:
    """Of the champion on rows that it was not trained on; not at all where they are too few."""
    others = {name: said for name, said in systems.items() if name != "candidate"}
    if answers.rival is None:
        others.pop("champion", None)
    everything = np.ones(len(sample), dtype=bool)
    found = {}
    for name, theirs in others.items():
        rows = answers.fair if name == "champion" else everything
        ours, part = answers.candidate[rows], sample.where(rows)
        found[name] = {
            metric.name: difference(metric, part, ours, theirs[rows])
            for metric in (*GATED, LOG_LOSS)
        }
    return found


def _niche(
    examples: Sequence[Example],
    niche: Sequence[str],
    sample: Sample,
    answers: Answers,
) -> list[GroupFinding]:
    """Against the champion; on the first night against the baseline."""
    categories = np.array([example.category for example in examples])
    if answers.rival is None:
        return niche_findings(
            sample, categories, niche, answers.candidate, answers.baseline
        )
    fair = answers.fair
    return niche_findings(
        sample.where(fair),
        categories[fair],
        niche,
        answers.candidate[fair],
        answers.rival[fair],
    )


def _system(name: str, sample: Sample, said: np.ndarray) -> dict[str, Estimate]:
    metrics = [*GATED, ACCURACY]
    if name in (
        "candidate",
        "champion",
    ):  # The others' probabilities claim no calibration.
        metrics += [LOG_LOSS, BRIER, calibration_error(calibration_edges(said))]
    return {metric.name: estimate(metric, sample, said) for metric in metrics}


def _photo_figures(
    sample: Sample, answers: Answers, rng: np.random.Generator
) -> tuple[PhotoControl | None, Conflict | None]:
    rows = answers.pictured
    if answers.ask is None or not len(rows):
        return None, None
    shown = sample.where(np.isin(np.arange(len(sample)), rows))
    return (
        photo_control(shown, rows, answers.ask, rng),
        conflict(sample.truth[rows], rows, answers.ask, rng),
    )


def _worst(truth: np.ndarray, said: np.ndarray) -> list[Mistake]:
    wrong = np.flatnonzero(said.argmax(1) != truth)
    first = wrong[np.argsort(-said[wrong].max(1), kind="stable")][:WORST_ROWS]
    return [
        Mistake(int(row), int(said[row].argmax()), float(said[row].max()))
        for row in first
    ]
