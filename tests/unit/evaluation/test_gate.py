"""The gate: each rule stops what it is there to stop, and says so."""

from dataclasses import replace

import pytest

from kindling.evaluation.controls import constant
from kindling.evaluation.gate import Evidence, Rules, judge
from kindling.measure.estimates import difference
from kindling.measure.estimates import estimate as estimated
from kindling.measure.metrics import POLARITY, THREE_WAY
from kindling.measure.sample import Sample
from kindling.records import Estimate

RULES = Rules("polarity_macro_f1", bar=0.85, tolerance=0.02, min_photos=100)


def estimate(value: float, half: float = 0.02) -> Estimate:
    return Estimate(value, 2000, value - half, value + half, "0" * 64)


GOOD = Evidence(
    figure=estimate(0.90),
    over_baseline=estimate(0.03),
    over_constant=estimate(0.4),
    over_champion=estimate(0.01),
    photo_gain=estimate(0.05),
    golden_photos=500,
)


def failed(**changes: object) -> list[str]:
    return [
        check.name
        for check in judge(RULES, replace(GOOD, **changes)).checks
        if not check.passed
    ]


def test_a_good_candidate_passes_every_check() -> None:
    verdict = judge(RULES, GOOD)
    assert verdict.promoted and not verdict.reasons and len(verdict.checks) == 6


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        (
            {"figure": estimate(0.86)},
            "bar",
        ),  # The value is above the bar, its lower bound is not.
        ({"over_constant": estimate(0.01)}, "beats a constant"),
        ({"over_baseline": estimate(-0.03)}, "not worse than TF-IDF"),
        ({"over_champion": estimate(-0.01)}, "not worse than the champion"),
        ({"worse_slices": ("stars: 1 ★",)}, "no slice worse"),
        ({"photo_gain": estimate(0.01)}, "photo not ignored"),
        (
            {"photo_gain": estimate(0.0, 0.0)},
            "photo not ignored",
        ),  # Blind: shuffling changes nothing at all.
        (
            {"photo_gain": estimate(1e-16, 0.0)},
            "photo not ignored",
        ),  # Blind, and rounded upwards.
        ({"photo_gain": None}, "photo not ignored"),
    ],
)
def test_each_rule_alone_stops_it(changes: dict[str, object], name: str) -> None:
    assert failed(**changes) == [name]
    reasons = judge(RULES, replace(GOOD, **changes)).reasons
    assert len(reasons) == 1 and reasons[0].startswith(f"{name}: ")


@pytest.mark.parametrize(
    "changes",
    [
        {"figure": estimate(0.87)},
        {"over_baseline": estimate(-0.01)},
        {"over_champion": estimate(0.0)},
        {"over_champion": None},
        {"over_champion": None, "worse_slices": ()},
    ],
)
def test_what_is_not_shown_worse_passes(changes: dict[str, object]) -> None:
    assert failed(**changes) == []


@pytest.mark.parametrize("gain", [None, estimate(0.0, 0.0), estimate(-0.1)])
def test_few_photos_are_reported_not_enforced(gain: Estimate | None) -> None:
    check = judge(RULES, replace(GOOD, photo_gain=gain, golden_photos=99)).checks[-1]
    assert check.passed and "not enforced, n=99" in check.detail


def test_no_constant_passes_whatever_the_bar(sample: Sample) -> None:
    """A holdout can be so lopsided that a constant reaches the bar."""
    said = constant(sample.truth)
    evidence = replace(
        GOOD,
        figure=estimated(POLARITY, sample, said),
        over_champion=None,
        over_constant=difference(THREE_WAY, sample, said, constant(sample.truth)),
    )
    verdict = judge(replace(RULES, bar=0.0), evidence)
    assert not verdict.promoted and any(
        "beats a constant" in reason for reason in verdict.reasons
    )
