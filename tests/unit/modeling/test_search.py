"""A search of settings finds what is better, stops what is poor, and says when nothing is."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from kindling.errors import DataError
from kindling.modeling import tfidf
from kindling.modeling.search import Ablation, Found, Trials, search
from kindling.modeling.tfidf.model import TfidfModel, train
from kindling.ports.classifier import Trained, TrainingData
from kindling.ports.space import Choice, Range
from kindling.records import SENTIMENTS, Estimate, Example

SAID = {
    "negative": ("broke", "awful", "torn"),
    "neutral": ("okay", "plain", "usual"),
    "positive": ("lovely", "perfect", "bright"),
}


def examples(n: int, seed: int = 0) -> list[Example]:
    rng = np.random.default_rng(seed)
    made = []
    for row in range(n):
        sentiment = SENTIMENTS[row % 3]
        said = sentiment if rng.random() < 0.75 else SENTIMENTS[int(rng.integers(3))]
        words = [*rng.choice(["vase", "lamp", "it", "is"], 4), rng.choice(SAID[said])]
        made.append(
            Example(
                f"r{row}",
                f"p{row % 60}",
                "Vases",
                " ".join(words),
                sentiment,
                3,
                "scraped",
                "train",
            )
        )
    return made


class Trainings:
    """Real trainings of TF-IDF, counted by their number of rows."""

    def __init__(self) -> None:
        self.rows: list[int] = []

    def __call__(self, data: TrainingData, options: Mapping[str, Any]) -> Trained:
        self.rows.append(len(data.train))
        return train(data, tfidf.Options(**options))


def found(recipe: float, trials: int = 6):
    trainings = Trainings()
    made = Trials(examples(600), (), trainings, lambda uri: b"", seed=1)
    options = {"inverse_penalty": recipe}
    return search(made, tfidf.SPACE, options, trials, seed=1), trainings


def test_the_same_seed_finds_the_same() -> None:
    one, other = found(3.0)[0], found(3.0)[0]
    assert one.best == other.best and one.gain == other.gain


def test_a_setting_no_better_than_the_recipe_warrants_no_training() -> None:
    result, _ = found(3.0)
    assert not result.warranted
    assert result.best_score.n == result.recipe_score.n > 100


def test_a_poor_trial_is_stopped_before_it_sees_all_rows() -> None:
    result, trainings = found(3.0, trials=8)
    assert result.pruned > 0
    assert trainings.rows.count(min(trainings.rows)) == 8
    whole = max(trainings.rows)
    compared = 2 + len(result.ablations)
    assert trainings.rows.count(whole) == 8 - result.pruned + compared


def test_a_better_setting_is_found_and_its_worth_is_told() -> None:
    """A penalty that lets nothing be learned from the words, but for the search."""

    class Crippled(Trainings):
        def __call__(self, data: TrainingData, options: Mapping[str, Any]) -> Trained:
            if options["inverse_penalty"] >= 1.0:
                return super().__call__(data, options)
            mixed = np.random.default_rng(0).permutation(len(data.train))
            texts = [data.train[at].text for at in mixed]
            labels = np.array([SENTIMENTS.index(one.sentiment) for one in data.train])
            model = TfidfModel.fit(texts, labels, np.ones(len(labels)))
            return Trained(model)

    trials = Trials(examples(600), (), Crippled(), lambda uri: b"", seed=1)
    result = search(trials, tfidf.SPACE, {"inverse_penalty": 0.2}, 6, seed=1)
    assert result.warranted and result.best["inverse_penalty"] >= 1.0
    (ablation,) = result.ablations
    assert ablation.setting == "inverse_penalty" and ablation.worth.low > 0


@pytest.mark.parametrize(
    ("low", "refused", "said"),
    [
        (0.01, "", "put `best` under train.model_options"),
        (-0.01, "", "the gain's interval holds 0"),
        (-1.0, "too few products (4)", "cannot tell whether the best is better: too"),
    ],
)
def test_the_verdict_says_no_more_than_the_gain_shows(
    low: float, refused: str, said: str
) -> None:
    gain = Estimate(0.02, 72, low, 0.05, "c7e24d96", refused=refused)
    changed = (Ablation("epochs", 4, 2, gain),)
    found = Found({"epochs": 4}, gain, gain, gain, 2, 0, changed)
    assert found.verdict.startswith(said)
    assert found.warranted == found.verdict.startswith("put")


def test_a_recipe_outside_the_space_is_a_trial_all_the_same() -> None:
    class Epochs(Trainings):
        def __call__(self, data: TrainingData, options: Mapping[str, Any]) -> Trained:
            return super().__call__(data, {"inverse_penalty": options["penalty"]})

    trials = Trials(examples(600), (), Epochs(), lambda uri: b"", seed=1)
    space = {"epochs": Choice((1, 2, 3)), "penalty": Range(0.5, 2.0)}
    result = search(trials, space, {"epochs": 4, "penalty": 8.0}, 3, seed=1)
    assert result.trials == 3 and result.recipe_score.n > 100


def test_too_few_products_are_refused() -> None:
    with pytest.raises(DataError, match="1 products"):
        Trials(examples(1), (), Trainings(), lambda uri: b"", seed=1)
