"""What the curve says of generators whose worth is known."""

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from kindling.coldstart.admission import decide
from kindling.coldstart.curve import Curve, draw_curve, verdict_of
from kindling.coldstart.drawing import page, section, text_lines
from kindling.coldstart.generators import FromRows, Generator, Request
from kindling.coldstart.learning import Space, again, generated, real
from kindling.coldstart.over_draws import Answered, over_draws
from kindling.coldstart.plan import ADMITTED, ALL, REAL, SEEDS, SYNTHETIC, WITH, Plan
from kindling.coldstart.written import Written
from kindling.errors import DataError
from kindling.measure.estimates import difference
from kindling.measure.metrics import THREE_WAY
from kindling.measure.sample import Sample

PLAN = Plan(points=(0, 10, 40), draws=5, weight=1.0, few_shot=False)


def curve_of(world: Any, generator: Generator, plan: Plan = PLAN) -> Curve:
    return draw_curve(world.niche, world.neighbours, world.embed, generator, plan)


@pytest.fixture(scope="module")
def good(world: Any) -> Curve:
    return curve_of(world, FromRows("good", world.good))


@pytest.fixture(scope="module")
def wrong(world: Any) -> Curve:
    return curve_of(world, FromRows("<wrong>", world.wrong))


def test_true_rows_are_said_to_help_where_real_ones_are_few(good: Curve) -> None:
    assert good.verdicts()["synthesis"]["0"] == "helps"
    assert good.verdicts()["synthesis over real rows again"]["10"] == "helps"


def test_rows_with_turned_labels_are_said_to_harm(wrong: Curve) -> None:
    assert (
        wrong.verdicts()["synthesis"] | {"0": "harms"} == wrong.verdicts()["synthesis"]
    )
    assert "harms" in wrong.verdicts()["synthesis"].values()


def test_admission_keeps_harm_out_at_every_point(wrong: Curve) -> None:
    assert wrong.never_significantly_worse
    assert set(wrong.verdicts()["synthesis"].values()) >= {"harms"}
    assert set(wrong.admitted.values()) == {0.0}


def test_admission_lets_in_what_the_rows_of_the_point_show_to_help(
    world: Any,
) -> None:
    few = world.niche[:60]
    found = decide(few, world.neighbours, world.good, Space(world.embed), 1.0, 0)
    assert (found.verdict, found.used) == ("helps", True)
    assert found.over_real is not None and found.over_real.low > 0


def test_admission_without_a_judge_uses_nothing(world: Any) -> None:
    nobody = decide([], world.neighbours, world.good, Space(world.embed), 1.0, 0)
    assert not nobody.used and "none is left to judge on" in nobody.reason
    nothing = decide(world.niche, world.neighbours, [], Space(world.embed), 1.0, 0)
    assert not nothing.used and "no generated row" in nothing.reason


def test_seeds_alone_have_no_figure_at_no_row(good: Curve) -> None:
    at = {(one.line, one.real_rows) for one in good.points}
    assert (SEEDS, 0) not in at
    assert {(SEEDS, 10), (SYNTHETIC, 0), (REAL, ALL), (ADMITTED, 40)} <= at


def test_a_point_with_too_few_real_rows_is_named_not_drawn(world: Any) -> None:
    plan = Plan(points=(0, 500), draws=2, few_shot=False, admission=False)
    found = curve_of(world, FromRows("none", []), plan)
    assert found.missing == (500,)
    assert {one.real_rows for one in found.points} == {0, ALL}
    assert "Too few real rows for the points 500" in "\n".join(text_lines(found))


class Spy:
    """A generator that remembers what it was shown."""

    name = "spy"

    def __init__(self) -> None:
        self.seen: list[Request] = []

    def write(self, request: Request) -> Sequence[Written]:
        self.seen.append(request)
        return []


def test_a_generator_is_shown_no_judged_product_and_no_undrawn_row(
    world: Any,
) -> None:
    spy = Spy()
    curve_of(world, spy)
    assert len(spy.seen) == PLAN.draws * 4
    everybody = {row.review_id for row in world.niche}
    for request in spy.seen:
        own = {row.review_id for row in request.own}
        assert request.hidden == everybody - own
    half = next(one for one in spy.seen if len(one.own) > 40)
    learned = {row.product_id for row in half.own}
    judged = [row for row in world.niche if row.review_id in half.hidden]
    assert learned.isdisjoint(row.product_id for row in judged)


def test_rows_made_from_hidden_reviews_and_copies_of_them_are_left_out(
    world: Any,
) -> None:
    copies = [
        Written(row.text, "positive", "Cups", sources)
        for row in world.niche
        for sources in ((row.review_id,), ())
    ]
    found = curve_of(world, FromRows("copier", copies))
    assert found.generated["0"] == 0
    assert 10 <= found.generated["10"] <= 20


def test_the_same_plan_gives_the_same_curve(world: Any, good: Curve) -> None:
    assert curve_of(world, FromRows("good", world.good)) == good


def test_one_product_is_too_few_and_said_to_be(world: Any) -> None:
    few = world.niche[:1]
    with pytest.raises(DataError, match="1 products; two products are needed"):
        draw_curve(few, world.neighbours, world.embed, FromRows("none", []), PLAN)


def test_a_stored_curve_comes_back_whole(good: Curve) -> None:
    stored = json.loads(json.dumps(good.to_dict()))
    assert Curve.from_dict(stored) == good


def test_the_page_names_its_rows_loads_nothing_and_escapes(wrong: Curve) -> None:
    shown = page(wrong)
    assert "&lt;wrong&gt;" in shown and "<wrong>" not in shown
    assert "http" not in shown and "src=" not in shown
    assert "No golden row was looked at" in shown
    figure = next(
        one for one in wrong.points if (one.line, one.real_rows) == (WITH, 10)
    ).figures[wrong.metric]
    assert f"{figure.value:.3f}<small>[{figure.low:.3f}" in shown
    assert section(wrong).count("<b class=") == len(wrong.comparisons)


def test_a_figure_without_an_interval_is_not_drawn(good: Curve) -> None:
    assert "<svg" in section(good) and "Nothing is drawn" not in section(good)
    refused = [
        replace(
            one,
            figures={
                name: replace(figure, refused="too few products (2)")
                for name, figure in one.figures.items()
            },
        )
        for one in good.points
    ]
    bare = section(replace(good, points=tuple(refused)))
    assert "<svg" not in bare and "Nothing is drawn: no figure has an interval" in bare


def test_real_rows_again_are_of_the_generated_rows_kinds(world: Any) -> None:
    space = Space(world.embed)
    base = real(world.niche, space)
    repeated = again(base, generated(world.good, space), np.random.default_rng(0))
    assert repeated.truth.tolist() == generated(world.good, space).truth.tolist()
    assert set(repeated.categories) == {"Cups"}


def answers(sample: Sample, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).dirichlet((1, 1, 1), len(sample))


def test_of_one_draw_the_difference_is_the_plain_one(world: Any) -> None:
    sample = Sample.of_reviews(world.niche)
    ours, theirs = answers(sample, 1), answers(sample, 2)
    rows = np.arange(len(sample))
    found = over_draws(THREE_WAY, sample, [Answered(rows, ours, theirs)])
    plain = difference(THREE_WAY, sample, ours, theirs)
    assert found.value == pytest.approx(plain.value)
    assert (found.low, found.high) == pytest.approx((plain.low, plain.high))
    assert (found.n, found.data_sha256) == (plain.n, plain.data_sha256)


def test_draws_that_disagree_widen_the_interval(world: Any) -> None:
    sample = Sample.of_reviews(world.niche)
    rows = np.arange(len(sample))
    same = [Answered(rows, answers(sample, 1), answers(sample, 2))] * 4
    apart = [
        Answered(rows, answers(sample, seed), answers(sample, seed + 50))
        for seed in range(4)
    ]
    narrow, wide = (over_draws(THREE_WAY, sample, one) for one in (same, apart))
    assert wide.high - wide.low > 0
    spread = np.std(
        [over_draws(THREE_WAY, sample, [one]).value for one in apart], ddof=1
    )
    assert (wide.high - wide.low) / 2 > spread / 2
    assert narrow.low < narrow.value < narrow.high


def test_equal_answers_differ_by_nothing_and_decide_nothing(world: Any) -> None:
    sample = Sample.of_reviews(world.niche)
    said = answers(sample, 1)
    found = over_draws(
        THREE_WAY, sample, [Answered(np.arange(len(sample)), said, said)]
    )
    assert (found.value, found.low, found.high) == (0, 0, 0)
    assert verdict_of(found) == "cannot tell"


def test_whoever_is_asked_answers_the_zero_shot_line(world: Any) -> None:
    truth = Sample.of_reviews(world.niche).truth
    right = {row.text: at for row, at in zip(world.niche, truth, strict=True)}
    plan = Plan(points=(0,), draws=2, few_shot=False, admission=False)
    found = draw_curve(
        world.niche,
        world.neighbours,
        world.embed,
        FromRows("none", []),
        plan,
        lambda texts: np.eye(3)[[right[text] for text in texts]],
    )
    asked = next(one for one in found.points if one.line == "zero-shot")
    assert asked.figures[found.metric].value == 1.0
