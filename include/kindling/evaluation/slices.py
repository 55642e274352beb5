"""Parts of the holdout that a good average can hide."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from kindling.measure.estimates import difference, estimate
from kindling.measure.metrics import ACCURACY, THREE_WAY, Metric
from kindling.measure.sample import Sample
from kindling.records import Estimate, Example

MIN_ROWS = 30
#: A slice must be this large before it can stop a promotion.
MIN_GATE_ROWS = 100
#: Words: short up to the first, long from the second.
LENGTHS = (30, 70)


@dataclass(frozen=True)
class Slice:
    group: str
    name: str
    rows: np.ndarray
    #: Macro-F1, but accuracy where the slice is one star and so one class.
    metric: Metric


@dataclass(frozen=True)
class SliceFigure:
    group: str
    name: str
    metric: str
    candidate: Estimate
    baseline: Estimate
    #: Candidate minus champion, where there is one.
    over_champion: Estimate | None
    #: Candidate minus baseline.
    over_baseline: Estimate
    #: Shown worse than the champion, or on the first night than the baseline, over all slices
    #: together (Bonferroni).
    worse: bool


@dataclass(frozen=True)
class Others:
    """What a candidate's slices are held against, [n, 3] each."""

    baseline: np.ndarray
    champion: np.ndarray | None
    #: bool [n]: rows that the champion was not trained on.
    fair: np.ndarray


def slices(examples: Sequence[Example], niche: Sequence[str]) -> list[Slice]:
    """Niche and its categories, other categories, stars, text length, photo or none; 30 rows and more each."""
    categories = np.array([example.category for example in examples])
    stars = np.array([example.rating for example in examples])
    words = np.array([len(example.text.split()) for example in examples])
    photo = np.array([example.photo_uri is not None for example in examples])
    cold = np.isin(categories, list(niche))
    found = [
        Slice("niche", "all niche categories", cold, THREE_WAY),
        Slice("niche", "all other categories", ~cold, THREE_WAY),
        *(
            Slice("category", str(name), categories == name, THREE_WAY)
            for name in np.unique(categories)
        ),
        *(Slice("stars", f"{star} ★", stars == star, ACCURACY) for star in range(1, 6)),
        Slice(
            "text length", f"up to {LENGTHS[0]} words", words <= LENGTHS[0], THREE_WAY
        ),
        Slice(
            "text length",
            f"{LENGTHS[0] + 1} to {LENGTHS[1]} words",
            (words > LENGTHS[0]) & (words <= LENGTHS[1]),
            THREE_WAY,
        ),
        Slice("text length", f"over {LENGTHS[1]} words", words > LENGTHS[1], THREE_WAY),
        Slice("photo", "with photo", photo, THREE_WAY),
        Slice("photo", "without photo", ~photo, THREE_WAY),
    ]
    return [one for one in found if MIN_ROWS <= one.rows.sum() < len(examples)]


def figures(
    parts: Sequence[Slice],
    sample: Sample,
    candidate: np.ndarray,
    baseline: np.ndarray,
    champion: np.ndarray | None,
    fair: np.ndarray | None = None,
) -> list[SliceFigure]:
    """Each slice's figures; probabilities are those of the whole sample [n, 3].

    `fair` [n] are the rows on which the champion may be compared with; None: all.
    """
    rows = np.ones(len(sample), dtype=bool) if fair is None else fair
    others = Others(baseline, champion, rows)
    judged = sum(part.rows.sum() >= MIN_GATE_ROWS for part in parts)
    return [_figure(part, sample, candidate, others, max(1, judged)) for part in parts]


def _figure(
    part: Slice,
    sample: Sample,
    candidate: np.ndarray,
    others: Others,
    judged: int,
) -> SliceFigure:
    rows, inside = part.rows, sample.where(part.rows)
    baseline, champion = others.baseline, others.champion
    over, fair, reference = None, rows, baseline
    # Of a slice that the champion was trained on whole, the baseline judges.
    if champion is not None and (rows & others.fair).any():
        fair, reference = rows & others.fair, champion
        over = difference(
            part.metric, sample.where(fair), candidate[fair], champion[fair]
        )
    strict = difference(
        part.metric,
        sample.where(fair),
        candidate[fair],
        reference[fair],
        1 - 0.05 / judged,
    )
    worse = fair.sum() >= MIN_GATE_ROWS and strict.high < 0
    # Between the sentiments a first model may choose otherwise than the baseline does: which
    # choice is better, macro-F1 says.
    if champion is None and part.group == "stars":
        worse = False
    return SliceFigure(
        part.group,
        part.name,
        part.metric.name,
        estimate(part.metric, inside, candidate[rows]),
        estimate(part.metric, inside, baseline[rows]),
        over,
        difference(part.metric, inside, candidate[rows], baseline[rows]),
        bool(worse),
    )
