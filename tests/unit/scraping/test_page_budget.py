"""Where a night's pages go: shares within the budget, decaying evidence, and reasons that are kept."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kindling.scraping.policy.arms import Arm, Candidate, Observation
from kindling.scraping.policy.bandit import Belief, Memory, UpperBound, share_out
from kindling.scraping.policy.plan import Terms, plan

ACTIONS = ("new", "deeper", "retry")
rooms = st.lists(st.integers(0, 300), min_size=6, max_size=6)


def candidates(room):
    arms = [Arm(source, action) for source in ("a", "b") for action in ACTIONS]
    return [Candidate(arm, pages) for arm, pages in zip(arms, room, strict=True)]


@given(rooms, st.integers(1, 700), st.lists(st.floats(0, 50), min_size=6, max_size=6))
def test_no_more_than_there_is_and_all_that_can_be_used_is_given(room, budget, means):
    some = candidates(room)
    beliefs = {
        one.arm: Belief(mean, 3.0) for one, mean in zip(some, means, strict=True)
    }
    given_ = share_out(some, beliefs, UpperBound(), budget)
    assert sum(given_.values()) == min(budget, sum(room))
    assert all(given_[one.arm] <= one.pages for one in some)


def seen(arm, age, requests, rows):
    return Observation(arm, age, requests, float(requests), rows)


def test_the_arm_that_brought_more_for_its_cost_gets_more():
    good, poor = Arm("a", "deeper"), Arm("b", "deeper")
    history = [seen(good, age, 100, 300) for age in (1, 2, 3)]
    history += [seen(poor, age, 100, 5) for age in (1, 2, 3)]
    made = plan(
        Terms(200, 0.0, 1), [Candidate(good, 500), Candidate(poor, 500)], history
    )
    assert made.pages["a"]["deeper"] > 5 * made.pages["b"]["deeper"]
    assert "believed 2.99" in made.reasons["a"]


def test_old_evidence_gives_way_to_new():
    arm = Arm("a", "new")
    risen = [seen(arm, 10, 100, 0), seen(arm, 1, 100, 200)]
    fallen = [seen(arm, 10, 100, 200), seen(arm, 1, 100, 0)]
    belief = [
        Memory().beliefs([Candidate(arm, 1)], history)[arm].mean
        for history in (risen, fallen)
    ]
    assert belief[0] > 1.8 and belief[1] < 0.2


def test_an_arm_left_alone_is_tried_again():
    poor, good = Arm("a", "deeper"), Arm("b", "deeper")
    some = [Candidate(poor, 100), Candidate(good, 100)]
    history = [seen(poor, 1, 60, 0), seen(good, 1, 60, 60)]
    tonight = plan(Terms(20, 0.0, 1), some, history)
    assert tonight.pages["a"]["deeper"] == 0
    later = [seen(poor, 25, 60, 0)] + [seen(good, age, 20, 20) for age in range(1, 25)]
    assert plan(Terms(20, 0.0, 1), some, later).pages["a"]["deeper"] > 0


def test_what_is_not_worth_a_request_rests_and_says_so():
    arm = Arm("a", "deeper")
    history = [seen(arm, age, 400, 0) for age in range(1, 9)]
    made = plan(Terms(50, 0.5, 1), [Candidate(arm, 400)], history)
    assert made.pages["a"] == {"new": 0, "deeper": 0, "retry": 0}
    assert made.reasons["a"].startswith("rest")


@pytest.mark.parametrize("pages", [0, 1])
def test_a_night_without_evidence_gives_everybody_a_try(pages):
    some = candidates([100, pages, pages] * 2)
    made = plan(Terms(40, 0.01, 1), some, [])
    assert made.pages["a"]["new"] and made.pages["b"]["new"]
