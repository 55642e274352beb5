"""Laws of the two fusions."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kindling.retrieval.fusion import convex, reciprocal_rank

IDS = st.sampled_from([f"r{i}" for i in range(12)])
RANKINGS = st.lists(st.lists(IDS, unique=True), max_size=4)
LEG = st.dictionaries(IDS, st.floats(-5, 50, allow_nan=False))


def test_reciprocal_rank_by_hand() -> None:
    assert reciprocal_rank([["a", "b"], ["b", "c"]]) == [
        ("b", Fraction(1, 62) + Fraction(1, 61)),
        ("a", Fraction(1, 61)),
        ("c", Fraction(1, 62)),
    ]


@given(RANKINGS)
def test_reciprocal_rank_does_not_care_which_leg_comes_first(
    rankings: list[list[str]],
) -> None:
    assert reciprocal_rank(rankings) == reciprocal_rank(rankings[::-1])


@given(RANKINGS)
def test_reciprocal_rank_holds_every_id_once_and_falls(
    rankings: list[list[str]],
) -> None:
    fused = reciprocal_rank(rankings)
    assert {item for item, _ in fused} == {
        item for ranking in rankings for item in ranking
    }
    assert fused == sorted(fused, key=lambda pair: (-pair[1], pair[0])) and len(
        dict(fused)
    ) == len(fused)


@given(st.lists(IDS, unique=True), st.integers(1, 4))
def test_legs_that_agree_keep_their_order(ranking: list[str], legs: int) -> None:
    assert [item for item, _ in reciprocal_rank([ranking] * legs)] == ranking


def test_sums_that_floats_would_tell_apart_are_ties() -> None:
    # 1/3 + 1/6 + 1/5 against 1/5 + 1/6 + 1/3: as floats the order of addition decides.
    fused = reciprocal_rank(
        [
            ["b", "x1", "a"],
            ["x2", "x3", "x4", "b", "a"],
            ["a", "x5", "b"],
            ["x2", "x3", "x4", "a", "b"],
        ],
        k=2,
    )
    scores = dict(fused)
    assert scores["a"] == scores["b"]
    assert [item for item, _ in fused if item in "ab"] == ["a", "b"]


def test_an_id_twice_is_a_broken_ranking() -> None:
    with pytest.raises(ValueError, match="twice"):
        reciprocal_rank([["a", "a"]])


def test_convex_by_hand() -> None:
    fused = convex(
        [{"a": 0.9, "b": 0.5, "c": 0.1}, {"b": 30.0, "d": 10.0}], (0.25, 0.75)
    )
    assert fused == [("b", 0.25 * 0.5 + 0.75), ("a", 0.25), ("c", 0.0), ("d", 0.0)]


@given(LEG, LEG, st.floats(0, 1))
def test_convex_is_bounded_complete_and_ordered(
    one: dict[str, float], two: dict[str, float], weight: float
) -> None:
    fused = convex([one, two], (weight, 1 - weight))
    assert {item for item, _ in fused} == set(one) | set(two)
    assert all(-1e-9 <= score <= 1 + 1e-9 for _, score in fused)
    assert fused == sorted(fused, key=lambda pair: (-pair[1], pair[0]))


@given(LEG)
def test_the_whole_weight_on_one_leg_is_that_leg(leg: dict[str, float]) -> None:
    order = [item for item, _ in convex([leg, {}], (1.0, 0.0))]
    assert [leg[item] for item in order] == pytest.approx(
        sorted(leg.values(), reverse=True)
    )


@given(LEG, LEG)
def test_convex_does_not_care_for_a_legs_unit(
    one: dict[str, float], two: dict[str, float]
) -> None:
    scaled = {item: 1024 * score for item, score in two.items()}
    assert [item for item, _ in convex([one, two], (0.5, 0.5))] == [
        item for item, _ in convex([one, scaled], (0.5, 0.5))
    ]


@pytest.mark.parametrize("weights", [(0.5,), (0.5, 0.6), (1.5, -0.5), ()])
def test_weights_that_are_none(weights: tuple[float, ...]) -> None:
    with pytest.raises(ValueError):
        convex([{"a": 1.0}, {"b": 1.0}], weights)
