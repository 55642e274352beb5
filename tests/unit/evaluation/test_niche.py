"""The niche has few rows: what is broken there is seen, what is not is left alone."""

import numpy as np
import pytest

from kindling.evaluation.niche import niche_findings
from kindling.evaluation.temperature import temperature_cost
from kindling.measure.sample import Sample

NICHE = ("Shorts", "Skirts", "Outerwear")
SIZES = {"Shorts": 52, "Skirts": 80, "Outerwear": 38, "Dresses": 900}


def holdout(seed: int) -> tuple[Sample, np.ndarray]:
    rng = np.random.default_rng(seed)
    categories = np.repeat(list(SIZES), list(SIZES.values()))
    truth = rng.choice(3, len(categories), p=[0.12, 0.13, 0.75])
    products = np.concatenate(
        [100 * at + rng.integers(n // 8, size=n) for at, n in enumerate(SIZES.values())]
    )
    return Sample(truth, products, tuple(map(str, range(len(truth))))), categories


def answers(truth: np.ndarray, skill: float, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=(len(truth), 3)) + skill * np.eye(3)[truth]
    return np.exp(logits) / np.exp(logits).sum(1, keepdims=True)


def always(sentiment: int, n: int) -> np.ndarray:
    return np.tile(np.eye(3)[sentiment], (n, 1))


def findings(seed: int, broken: tuple[str, ...] = ()):
    sample, categories = holdout(seed)
    reference = answers(sample.truth, 2.2, seed + 1000)
    candidate = answers(sample.truth, 2.4, seed + 2000)
    mask = np.isin(categories, broken)
    candidate[mask] = always(2, mask.sum())
    return niche_findings(sample, categories, NICHE, candidate, reference)


def test_a_niche_answered_blindly_is_seen_every_time() -> None:
    for seed in range(20):
        whole, *categories = findings(seed, NICHE)
        assert whole.high < 0 and whole.blind == "positive"
        assert [one.name for one in categories] == sorted(NICHE)


@pytest.mark.parametrize("category", NICHE)
def test_one_blind_category_is_named_and_its_neighbours_are_not(category: str) -> None:
    for seed in range(20):
        found = {one.name: one for one in findings(seed, (category,))[1:]}
        assert found[category].blind == "positive"
        assert not any(one.blind for name, one in found.items() if name != category)
        assert found[category].difference == min(
            one.difference for one in found.values()
        )


def test_a_healthy_niche_is_rarely_called_worse() -> None:
    worse = [one.high < 0 for seed in range(60) for one in findings(seed)]
    assert np.mean(worse) < 0.03


def test_categories_that_agree_are_drawn_together() -> None:
    spread, raw = [], []
    for seed in range(30):
        sample, categories = holdout(seed)
        reference = answers(sample.truth, 2.2, seed + 1000)
        candidate = answers(sample.truth, 2.4, seed + 2000)
        found = niche_findings(sample, categories, NICHE, candidate, reference)[1:]
        spread.append(np.ptp([one.difference for one in found]))
        alone = [
            niche_findings(sample, categories, (name,), candidate, reference)[1]
            for name in NICHE
        ]
        raw.append(np.ptp([one.difference for one in alone]))
    assert np.mean(spread) < 0.5 * np.mean(raw)


def test_no_niche_row_is_no_finding() -> None:
    sample, categories = holdout(0)
    said = answers(sample.truth, 2.0, 1)
    assert niche_findings(sample, categories, ("Hats",), said, said) == []


def test_wrong_confidence_has_a_price_and_right_confidence_has_none() -> None:
    sample, _ = holdout(0)
    rng = np.random.default_rng(0)
    honest = rng.dirichlet([1, 1, 3], len(sample))
    drawn = (rng.random((len(sample), 1)) > honest.cumsum(1)).sum(1).clip(0, 2)
    told = Sample(drawn, sample.products, sample.digests)
    sure = honest**8 / (honest**8).sum(1, keepdims=True)
    assert temperature_cost(told, sure).low > 0.1
    fair = temperature_cost(told, honest)
    assert fair.low < 0.005 and abs(fair.value) < 0.01
