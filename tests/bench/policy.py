"""Regret of the page-budget policy where yields drift, beside an equal split and a greedy one.

    make bench NAME=policy

Four sources with three actions each; every action's yield (rows a request) walks on a log scale night by
night and jumps now and then; pages to try again and pages to go deeper into are few, and reviews come by the
page, so counts are noisier than Poisson's. The regret of a run is what an oracle that knows tonight's yields
would have brought more, over 60 nights. 200 seeded runs, all policies in the same worlds; ratios are of mean
regrets, intervals from 2,000 bootstrap resamples of runs (paired). Greedy has the same discounted evidence,
after one night of equal parts; `regret_over_greedy_all_time` is one that forgets nothing, `_thompson` the other
discounted bandit at its own best setting. Bandit, discount and ceiling were chosen on seeds from 10,000 on
(`--choose` prints that table), which no reported figure uses.
"""

import argparse
import itertools
import json
import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from kindling.scraping.policy.arms import FETCHING, Arm, Candidate, Observation
from kindling.scraping.policy.bandit import (
    Memory,
    Thompson,
    UpperBound,
    share_out,
)

RUNS = 200
CHOOSING_SEED = 10_000
CHOOSING_RUNS = 25
NIGHTS = 60
BUDGET = 400
SOURCES = 4
WALK = 0.12
JUMP = 0.03
#: Pages that there are of an action, on an average night.
ROOM = {"new": 300, "deeper": 150, "retry": 30}

Policy = Callable[[Sequence[Candidate], Sequence[Observation], int], dict[Arm, int]]


@dataclass(frozen=True)
class World:
    """Every night's yields and candidates; the same for all policies."""

    yields: list[dict[Arm, float]]
    candidates: list[list[Candidate]]
    noise_seed: int


def world(seed: int) -> World:
    rng = random.Random(seed)
    arms = [Arm(f"s{n}", action) for n in range(SOURCES) for action in FETCHING]
    level = {arm: rng.gauss(0, 1) for arm in arms}
    yields, candidates = [], []
    for _ in range(NIGHTS):
        for arm in arms:
            level[arm] = (
                rng.gauss(0, 1)
                if rng.random() < JUMP
                else level[arm] + rng.gauss(0, WALK)
            )
        yields.append({arm: math.exp(level[arm]) for arm in arms})
        candidates.append(
            [
                Candidate(arm, round(ROOM[arm.action] * rng.uniform(0.5, 1.5)))
                for arm in arms
            ]
        )
    return World(yields, candidates, seed)


def expected(given: dict[Arm, int], yields: dict[Arm, float]) -> float:
    return sum(pages * yields[arm] for arm, pages in given.items())


def oracle(candidates: Sequence[Candidate], yields: dict[Arm, float]) -> float:
    left, rows = BUDGET, 0.0
    for one in sorted(candidates, key=lambda one: -yields[one.arm]):
        pages = min(left, one.pages)
        rows += pages * yields[one.arm]
        left -= pages
    return rows


def regret(there: World, policy: Policy) -> float:
    """What the policy missed, in rows, over all nights."""
    noise = np.random.default_rng(there.noise_seed)
    history: list[tuple[int, Arm, int, int]] = []
    missed = 0.0
    for night, (yields, candidates) in enumerate(
        zip(there.yields, there.candidates, strict=True)
    ):
        seen = [
            Observation(arm, night - when, pages, float(pages), rows)
            for when, arm, pages, rows in history
        ]
        given = policy(candidates, seen, night)
        missed += oracle(candidates, yields) - expected(given, yields)
        for arm, pages in given.items():
            if pages:
                # Exponential over the page, Poisson given that: variance beyond its mean.
                mean = noise.gamma(pages, yields[arm])
                history.append((night, arm, pages, int(noise.poisson(mean))))
    return missed


def thompson(memory: Memory, seed: int) -> Policy:
    bandit = Thompson(random.Random(seed))
    return lambda candidates, seen, night: share_out(
        candidates, memory.beliefs(candidates, seen), bandit, BUDGET
    )


def upper_bound(memory: Memory, width: float) -> Policy:
    bandit = UpperBound(width)
    return lambda candidates, seen, night: share_out(
        candidates, memory.beliefs(candidates, seen), bandit, BUDGET
    )


def uniform(
    candidates: Sequence[Candidate], seen: Sequence[Observation], night: int
) -> dict[Arm, int]:
    """Equal parts; what an arm cannot use goes to the others."""
    given, left = {one.arm: 0 for one in candidates}, BUDGET
    while left > 0 and (
        room := [one for one in candidates if one.pages > given[one.arm]]
    ):
        for one in room[:left]:
            given[one.arm] += 1
        left -= min(left, len(room))
    return given


def greedy(memory: Memory) -> Policy:
    """The best means first, after one night of equal parts."""

    def choose(
        candidates: Sequence[Candidate], seen: Sequence[Observation], night: int
    ) -> dict[Arm, int]:
        if night == 0:
            return uniform(candidates, seen, night)
        beliefs = memory.beliefs(candidates, seen)
        return share_out(candidates, beliefs, UpperBound(0.0), BUDGET)

    return choose


def ratio(ours: np.ndarray, theirs: np.ndarray) -> list[float]:
    """[value, low, high] of mean over mean, paired bootstrap over runs, 95 %."""
    rng = np.random.default_rng(0)
    picks = rng.integers(0, len(ours), (2_000, len(ours)))
    resampled = ours[picks].mean(1) / theirs[picks].mean(1)
    low, high = np.quantile(resampled, [0.025, 0.975])
    value = ours.mean() / theirs.mean()
    return [round(float(one), 4) for one in (value, low, high)]


def choose() -> None:
    """Mean regret of settings, on seeds that no reported figure uses."""
    worlds = [world(CHOOSING_SEED + n) for n in range(CHOOSING_RUNS)]
    for discount, ceiling in itertools.product((0.7, 0.8, 0.9), (10, 30, 100)):
        memory = Memory(discount, float(ceiling))
        found = {
            "thompson": [regret(w, thompson(memory, w.noise_seed)) for w in worlds],
            "bound 1": [regret(w, upper_bound(memory, 1.0)) for w in worlds],
            "bound 2": [regret(w, upper_bound(memory, 2.0)) for w in worlds],
            "bound 3": [regret(w, upper_bound(memory, 3.0)) for w in worlds],
            "greedy": [regret(w, greedy(memory)) for w in worlds],
        }
        shown = {name: round(float(np.mean(all_))) for name, all_ in found.items()}
        print(discount, ceiling, shown, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", help="not used")
    parser.add_argument("--choose", action="store_true")
    if parser.parse_args().choose:
        choose()
        return
    memory = Memory()
    worlds = [world(seed) for seed in range(RUNS)]
    policy = upper_bound(memory, UpperBound.width)
    ours = np.array([regret(one, policy) for one in worlds])
    peers: dict[str, Policy] = {
        "uniform": uniform,
        "greedy": greedy(memory),
        "greedy_all_time": greedy(Memory(1.0, memory.ceiling)),
        "thompson": thompson(Memory(0.7, 100.0), 0),
    }
    figures: dict[str, object] = {"runs": RUNS, "nights": NIGHTS}
    for name, policy in peers.items():
        theirs = np.array([regret(one, policy) for one in worlds])
        value, low, high = ratio(ours, theirs)
        figures[f"regret_over_{name}"] = value
        figures[f"regret_over_{name}_95"] = [low, high]
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
