"""The cold-start curve: every line at every point with its interval, and what helps, harms or is not known."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from kindling.coldstart.admission import Verdict
from kindling.coldstart.generators import Generator
from kindling.coldstart.heads import Embed
from kindling.coldstart.over_draws import Answered, over_draws
from kindling.coldstart.plan import ALL, COMPARISONS, ZERO, Plan, point_name
from kindling.coldstart.trials import Ask, Draw, Trials
from kindling.measure.metrics import POLARITY, THREE_WAY, Metric
from kindling.measure.sample import Sample
from kindling.records import Estimate, Review

METRICS: tuple[Metric, ...] = (THREE_WAY, POLARITY)


@dataclass(frozen=True)
class Point:
    """One line at one number of real niche rows."""

    line: str
    #: ALL for every row that a draw may learn from.
    real_rows: int
    #: Metric -> figure.
    figures: Mapping[str, Estimate]


@dataclass(frozen=True)
class Comparison:
    """One line minus another at one point, on the same rows."""

    name: str
    line: str
    under: str
    real_rows: int
    #: Metric -> difference; the verdict is of the first.
    figures: Mapping[str, Estimate]
    verdict: Verdict


@dataclass(frozen=True)
class Curve:
    """The whole of it, ready for print."""

    generator: str
    metric: str
    draws: int
    niche_rows: int
    neighbours: int
    products: int
    #: Real rows of the point "all", on average over the draws.
    all_rows: float
    points: tuple[Point, ...]
    comparisons: tuple[Comparison, ...]
    #: Asked for but not drawn, since there are too few real rows: by number of rows.
    missing: tuple[int, ...]
    #: Point (as text) -> generated rows on average, and share of draws that admission let in.
    generated: Mapping[str, float]
    admitted: Mapping[str, float]
    data_sha256: str

    @property
    def never_significantly_worse(self) -> bool:
        """Whether using generated rows as admission decides is nowhere shown to harm."""
        found = [one for one in self.comparisons if one.name == "admission"]
        return bool(found) and all(one.verdict != "harms" for one in found)

    def verdicts(self) -> dict[str, dict[str, str]]:
        """Comparison -> number of real rows (as text) -> verdict."""
        found: dict[str, dict[str, str]] = {}
        for one in self.comparisons:
            found.setdefault(one.name, {})[point_name(one.real_rows)] = one.verdict
        return found

    def to_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> "Curve":
        """The curve as a stage report holds it."""
        points = tuple(
            Point(**{**one, "figures": _estimates(one["figures"])})
            for one in stored["points"]
        )
        comparisons = tuple(
            Comparison(**{**one, "figures": _estimates(one["figures"])})
            for one in stored["comparisons"]
        )
        missing = tuple(stored["missing"])
        return cls(
            **{
                **stored,
                "points": points,
                "comparisons": comparisons,
                "missing": missing,
            }
        )


def _estimates(stored: Mapping[str, Any]) -> dict[str, Estimate]:
    return {
        name: one if isinstance(one, Estimate) else Estimate(**one)
        for name, one in stored.items()
    }


def draw_curve(
    niche: Sequence[Review],
    neighbours: Sequence[Review],
    embed: Embed,
    generator: Generator,
    plan: Plan,
    ask: Ask | None = None,
) -> Curve:
    """Measure every line on real niche rows of products that it has not seen.

    `ask` answers the zero-shot line, such as a language model; None for the encoder. `niche` and `neighbours` are real rows, none of them golden. DataError where the niche's
    rows cannot be dealt to two sides.
    """
    trials = Trials(niche, neighbours, embed, generator, plan, ask)
    return joined(trials, trials.draws())


def joined(trials: Trials, draws: Sequence[Draw]) -> Curve:
    """The curve of draws that may have been made apart."""
    plan = trials.plan
    sample = Sample.of_reviews(trials.niche)
    everywhere = [
        point
        for point in (*plan.points, ALL)
        if all((ZERO, point) in one.answers for one in draws)
    ]
    return Curve(
        generator=trials.generator.name,
        metric=METRICS[0].name,
        draws=len(draws),
        niche_rows=len(trials.niche),
        neighbours=len(trials.neighbours),
        products=len({row.product_id for row in trials.niche}),
        all_rows=sum(one.all_rows for one in draws) / len(draws),
        points=tuple(_points(sample, draws, everywhere)),
        comparisons=tuple(_comparisons(sample, draws, everywhere)),
        missing=tuple(point for point in plan.points if point not in everywhere),
        generated=_mean([one.generated for one in draws], everywhere),
        admitted=_mean([one.admitted for one in draws], everywhere),
        data_sha256=sample.sha256,
    )


def _points(
    sample: Sample, draws: Sequence[Draw], points: Sequence[int]
) -> list[Point]:
    return [
        Point(line, point, _figures(sample, draws, (line, point), None))
        for line, point in _answered(draws)
        if point in points
    ]


def _comparisons(
    sample: Sample, draws: Sequence[Draw], points: Sequence[int]
) -> list[Comparison]:
    answered = set(_answered(draws))
    found = []
    for name, (line, under) in COMPARISONS.items():
        for point in points:
            if not {(line, point), (under, point)} <= answered:
                continue
            figures = _figures(sample, draws, (line, point), (under, point))
            verdict = verdict_of(figures[METRICS[0].name])
            found.append(Comparison(name, line, under, point, figures, verdict))
    return found


def _answered(draws: Sequence[Draw]) -> list[tuple[str, int]]:
    """What every draw has answered, in the order of the first."""
    return [at for at in draws[0].answers if all(at in one.answers for one in draws)]


def _figures(
    sample: Sample,
    draws: Sequence[Draw],
    ours: tuple[str, int],
    theirs: tuple[str, int] | None,
) -> dict[str, Estimate]:
    answered = [
        Answered(one.judged, one.answers[ours], one.answers[theirs] if theirs else None)
        for one in draws
    ]
    return {one.name: over_draws(one, sample, answered) for one in METRICS}


def verdict_of(found: Estimate) -> Verdict:
    """What a paired difference says at 95 %."""
    if found.refused:
        return "cannot tell"
    return "helps" if found.low > 0 else "harms" if found.high < 0 else "cannot tell"


def _mean(
    each: Sequence[Mapping[int, float]], points: Sequence[int]
) -> dict[str, float]:
    return {
        point_name(point): sum(one[point] for one in each) / len(each)
        for point in points
        if all(point in one for one in each)
    }
