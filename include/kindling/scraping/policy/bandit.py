"""Discounted bandits: what was seen counts less with every night, so that an arm left alone is tried again.

Discounting is that of D-UCB (Garivier and Moulines 2011) and discounted Thompson sampling (Raj and
Kalyani 2017), with a yield per cost in place of a success.
"""

import math
import random
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from kindling.scraping.policy.arms import Arm, Candidate, Observation


@dataclass(frozen=True)
class Belief:
    """What is believed of an arm: rows per cost, and how many pages' worth of evidence there is."""

    mean: float
    pages: float


@dataclass(frozen=True)
class Memory:
    """How evidence is weighed; chosen with the bandit by `tests/bench/policy.py --choose`."""

    #: A night's evidence counts this much one night later.
    discount: float = 0.7
    #: Evidence of an arm counts as so many pages at most, however many were fetched: yields drift.
    ceiling: float = 10.0
    #: Pages' worth of evidence in the belief before anything is known of an arm.
    prior_pages: float = 1.0

    def beliefs(
        self, candidates: Iterable[Candidate], seen: Sequence[Observation]
    ) -> dict[Arm, Belief]:
        """Each candidate's belief; an arm without evidence is believed to be like the others."""
        everything = _Sums()
        by_arm: dict[Arm, _Sums] = defaultdict(_Sums)
        for one in seen:
            weight = self.discount ** (one.age - 1)
            by_arm[one.arm].add(one, weight)
            everything.add(one, weight)
        common = (1.0 + everything.rows) / (1.0 + everything.cost)
        return {one.arm: self._belief(by_arm[one.arm], common) for one in candidates}

    def _belief(self, sums: "_Sums", common: float) -> Belief:
        # The prior's pages cost what this arm's do.
        per_page = sums.cost / sums.requests if sums.requests else 1.0
        prior_cost = self.prior_pages * per_page
        mean = (common * prior_cost + sums.rows) / (prior_cost + sums.cost)
        return Belief(mean, min(self.ceiling, self.prior_pages + sums.requests))


@dataclass
class _Sums:
    """Discounted requests, cost and rows."""

    requests: float = 0.0
    cost: float = 0.0
    rows: float = 0.0

    def add(self, one: Observation, weight: float) -> None:
        """Count a night's evidence."""
        self.requests += weight * one.requests
        self.cost += weight * one.cost
        self.rows += weight * one.rows


class Bandit(Protocol):
    """Scores arms for one part of the budget; the highest score gets it."""

    @property
    def rest_below(self) -> float:
        """Rows per cost that an arm has to be worth; below it rests."""
        ...

    def score(self, belief: Belief, given: int) -> float:
        """`given` is how many pages the arm has been given tonight already."""
        ...


@dataclass(frozen=True)
class Thompson:
    """Probability matching: an arm is chosen as often as it is likely to be the best.

    The mean of k pages is as spread as that of k exponentials: a gamma distribution of shape k. Its regret
    was no lower than the upper bound's (tests/bench/policy.py), and its decisions are harder to explain.
    """

    rng: random.Random
    rest_below: float = 0.0

    def score(self, belief: Belief, given: int) -> float:
        """A yield drawn from the belief."""
        return belief.mean * self.rng.gammavariate(belief.pages, 1 / belief.pages)


@dataclass(frozen=True)
class UpperBound:
    """Optimism: the mean and `width` standard errors of it.

    A page's yield has a standard deviation of about its mean, since reviews come by the page.
    """

    width: float = 2.0
    rest_below: float = 0.0

    def score(self, belief: Belief, given: int) -> float:
        """The bound shrinks with what the arm has been given tonight, so that the night is spread."""
        return belief.mean * (1 + self.width / math.sqrt(belief.pages + given))


def share_out(
    candidates: Sequence[Candidate],
    beliefs: dict[Arm, Belief],
    bandit: Bandit,
    budget: int,
    parts: int = 20,
) -> dict[Arm, int]:
    """Pages for each arm: the budget in so many parts, each to the arm with the highest score.

    An arm gets no more than it has pages; what nobody can use, or nobody is worth, is left.
    """
    given = {one.arm: 0 for one in candidates}
    room = {one.arm: one.pages for one in candidates}
    left, part = budget, max(1, math.ceil(budget / parts))
    while left > 0 and (open_arms := [arm for arm in given if room[arm] > given[arm]]):
        scores = {arm: bandit.score(beliefs[arm], given[arm]) for arm in open_arms}
        best = max(open_arms, key=scores.__getitem__)
        if scores[best] < bandit.rest_below:
            break
        pages = min(part, left, room[best] - given[best])
        given[best] += pages
        left -= pages
    return given
