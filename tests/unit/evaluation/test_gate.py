"""The gate: each rule stops what it is there to stop, and says so."""

from dataclasses import replace

import pytest

from kindling.evaluation.controls import constant
from kindling.evaluation.gate import judge
from kindling.evaluation.ledger import Advice
from kindling.evaluation.niche import GroupFinding
from kindling.evaluation.robustness import WRONG_PHOTO
from kindling.evaluation.verdict import Evidence, Rules
from kindling.measure.estimates import difference
from kindling.measure.estimates import estimate as estimated
from kindling.measure.metrics import POLARITY, THREE_WAY
from kindling.measure.sample import Sample
from kindling.records import Estimate

RULES = Rules(
    "polarity_macro_f1",
    bar=0.85,
    tolerance=0.02,
    min_photos=100,
    max_latency_ms=50.0,
)


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
    assert verdict.promoted and not verdict.reasons and len(verdict.checks) == 16
    assert len({check.code for check in verdict.checks}) == 16


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
        {"over_baseline": estimate(0.0)},
        {"over_champion": estimate(0.0)},
        {"over_champion": None},
        {"over_champion": None, "worse_slices": ()},
    ],
)
def test_what_is_not_shown_worse_passes(changes: dict[str, object]) -> None:
    assert failed(**changes) == []


def test_what_there_is_nothing_to_judge_by_is_no_pass_to_show() -> None:
    text_only = replace(
        GOOD,
        golden_photos=0,
        photo_gain=None,
        photo_robustness={},
        over_text=None,
        over_text_log_loss=None,
    )
    verdict = judge(RULES, text_only)
    idle = {check.code for check in verdict.checks if not check.asked}
    assert {"photo-ignored", "photo-harms", "photo-robustness"} <= idle
    assert "bar" not in idle
    assert verdict.promoted


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


def group(name: str, difference: float, half: float, blind: str = "") -> GroupFinding:
    return GroupFinding(
        name, 40, 6, difference, difference - half, difference + half, blind
    )


HEALTHY = (group("all niche categories", 0.02, 0.05), group("Skirts", 0.02, 0.08))


def test_one_product_shows_nothing_of_a_category() -> None:
    worse = group("Skirts", -0.3, 0.2)
    for products, verdict in ((2, "fail"), (1, "cannot tell")):
        niche = (HEALTHY[0], replace(worse, products=products))
        checks = judge(RULES, replace(GOOD, niche_asked=True, niche=niche)).checks
        (check,) = [one for one in checks if one.code == "niche-category"]
        assert check.verdict == verdict and "Skirts" in check.needed


def test_more_rows_are_asked_for_only_where_they_could_tell() -> None:
    line = -RULES.niche_tolerance
    far, near = group("Mugs", line - 0.1, 0.3), group("Skirts", line * 0.6, 0.3)
    evidence = replace(GOOD, niche_asked=True, niche=(HEALTHY[0], far, near))
    checks = judge(RULES, evidence).checks
    (check,) = [one for one in checks if one.code == "niche-category"]
    assert check.verdict == "cannot tell"
    assert "more golden rows of Skirts (about " in check.needed
    assert "a better model of Mugs: more rows would only show it" in check.needed


@pytest.mark.parametrize(
    ("changes", "code", "verdict"),
    [
        ({"figure": estimate(0.80)}, "bar", "fail"),
        ({"figure": estimate(0.86)}, "bar", "cannot tell"),
        ({"over_random": estimate(0.01)}, "beats-random", "cannot tell"),
        ({"over_baseline": estimate(-0.03)}, "not-worse-than-baseline", "fail"),
        ({"over_baseline": estimate(-0.01)}, "not-worse-than-baseline", "cannot tell"),
        ({"over_champion": estimate(-0.03)}, "not-worse-than-champion", "fail"),
        ({"leaked_rows": 1}, "leakage", "fail"),
        ({"robustness": {"typos": estimate(-0.15)}}, "robustness", "fail"),
        (
            {"photo_robustness": {"dark photo": estimate(-0.2)}},
            "photo-robustness",
            "fail",
        ),
        (
            {"photo_robustness": {WRONG_PHOTO: estimate(-0.4)}},
            "photo-robustness",
            "fail",
        ),
        ({"latency_ms": 80.0}, "latency", "fail"),
        ({"temperature_cost": estimate(0.186)}, "calibration", "fail"),
        ({"calibration_error": estimate(0.15)}, "calibration", "fail"),
        ({"log_loss_over_baseline": estimate(0.05)}, "log-loss", "fail"),
        ({"over_text": estimate(-0.025)}, "photo-harms", "fail"),
        ({"over_text": estimate(-0.015)}, "photo-harms", "cannot tell"),
        ({"over_text_log_loss": estimate(-0.05)}, "photo-harms", "fail"),
        ({"niche": ()}, "niche", "cannot tell"),
        ({"niche": (group("all", -0.3, 0.1), HEALTHY[1])}, "niche", "fail"),
        ({"niche": (group("all", -0.1, 0.1), HEALTHY[1])}, "niche", "cannot tell"),
        (
            {"niche": (HEALTHY[0], group("Skirts", -0.05, 0.08, "positive"))},
            "niche-category",
            "fail",
        ),
        (
            {"niche": (HEALTHY[0], group("Skirts", -0.10, 0.15))},
            "niche-category",
            "cannot tell",
        ),
    ],
)
def test_each_fault_has_its_code_and_says_what_it_would_take(
    changes: dict[str, object], code: str, verdict: str
) -> None:
    complete = replace(
        GOOD,
        over_random=estimate(0.5),
        over_text=estimate(0.03),
        over_text_log_loss=estimate(0.03),
        log_loss_over_baseline=estimate(-0.1),
        temperature_cost=estimate(0.0, 0.001),
        calibration_error=estimate(0.03),
        niche_asked=True,
        niche=HEALTHY,
        robustness={"typos": estimate(-0.05), "emoji": estimate(0.0)},
        photo_robustness={
            "dark photo": estimate(-0.05),
            WRONG_PHOTO: estimate(-0.2),
        },
        latency_ms=20.0,
        class_rows={"negative": 90, "neutral": 30, "positive": 700},
    )
    assert judge(RULES, complete).outcome == "pass"
    found = judge(RULES, replace(complete, **changes))
    [check] = [one for one in found.checks if not one.passed]
    assert (check.code, check.verdict) == (code, verdict)
    assert found.outcome == verdict and not found.promoted
    if verdict == "cannot tell":
        assert check.needed and check.needed in found.reasons[0]


def test_what_it_would_take_counts_rows_and_products_and_names_the_rare_class() -> None:
    """The error falls with the root of the rows: half of it takes four times as many."""
    figure = Estimate(0.87, 500, 0.83, 0.90, "0" * 64, products=40, in_effect=20)
    rare = {"negative": 60, "positive": 440}
    [bar] = [
        check
        for check in judge(RULES, replace(GOOD, figure=figure, class_rows=rare)).checks
        if not check.passed
    ]
    assert bar.needed == (
        "about 2000 golden rows of about 160 products, negative reviews above all (n=60)"
    )
    hopeless = replace(GOOD, figure=replace(figure, value=0.84, low=0.80, high=0.88))
    assert "a better model" in judge(RULES, hopeless).reasons[0]


def test_too_few_products_fail_nothing_and_pass_nothing() -> None:
    unknown = Estimate(0.95, 50, 0.0, 1.0, "0" * 64, 4, 2.1, None, "too few products")
    apart = replace(unknown, value=0.1, low=-1.0)
    verdict = judge(
        RULES, replace(GOOD, figure=unknown, over_baseline=apart, over_constant=apart)
    )
    assert verdict.outcome == "cannot tell"
    assert all("more products" in reason for reason in verdict.reasons)


def test_few_rows_of_a_category_that_look_well_stop_nothing() -> None:
    few = (HEALTHY[0], group("Skirts", -0.04, 0.15))
    assert judge(RULES, replace(GOOD, niche_asked=True, niche=few)).promoted


@pytest.mark.parametrize(
    ("decision", "verdict"),
    [("promoted", "pass"), ("held", "cannot tell"), ("alarm", "fail")],
)
def test_with_a_ledger_its_advice_stands_for_one_nights_interval(
    decision: str, verdict: str
) -> None:
    evidence = replace(
        GOOD,
        over_champion=estimate(-0.01, 0.03),
        advice=Advice(decision, "look 3 at these rows"),
    )
    [check] = [
        one
        for one in judge(RULES, evidence).checks
        if one.code == "not-worse-than-champion"
    ]
    assert check.verdict == verdict and "look 3" in check.detail


def test_a_champion_that_was_trained_on_the_rows_is_no_rival() -> None:
    """A fair candidate would be refused for good: TF-IDF judges it instead."""
    spoiled = replace(GOOD, over_champion=None, champion_version="3", champion_saw=1500)
    [check] = [
        one
        for one in judge(RULES, spoiled).checks
        if one.code == "not-worse-than-champion"
    ]
    assert check.passed and "trained on 1500" in check.detail


def test_rows_that_the_champion_saw_are_named_beside_the_advice() -> None:
    evidence = replace(
        GOOD, champion_saw=7, advice=Advice("promoted", "look 3 at these rows")
    )
    [check] = [
        one
        for one in judge(RULES, evidence).checks
        if one.code == "not-worse-than-champion"
    ]
    assert "7 rows that the champion was trained on are left out" in check.detail
