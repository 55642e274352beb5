"""Searches a classifier's settings: seeded, poor ones stopped early, and each gain taken back once to see what it was worth.

Trials are judged on products of the train split that they did not learn from; validation and golden rows
are not looked at. A trial learns from a quarter of its rows, then half, then all (successive halving,
Jamieson and Talwalkar 2016, run by Optuna), so that most of the time goes to settings that promise.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import optuna
from optuna.trial import TrialState

from kindling.errors import DataError
from kindling.measure.estimates import difference, estimate
from kindling.measure.metrics import THREE_WAY
from kindling.measure.sample import Sample
from kindling.ports.classifier import Trained, TrainingData
from kindling.ports.space import Choice, Range, Space
from kindling.records import Estimate, Example, Study

RUNGS = (0.25, 0.5, 1.0)
#: How a trial ends that counts.
ENDED = (TrialState.COMPLETE, TrialState.PRUNED)
#: Share of products that judge.
JUDGES = 0.25
#: Share of the learning rows that calibrates.
HELD_OUT = 0.1

log = logging.getLogger(__name__)

Options = Mapping[str, Any]
Answers = np.ndarray
#: Rows and options -> a trained classifier.
Train = Callable[[TrainingData, Options], Trained]


@dataclass(frozen=True)
class Ablation:
    """One setting of the best taken back to what the recipe says."""

    setting: str
    value: Any
    recipe: Any
    #: Best minus the best without this setting, paired by product.
    worth: Estimate


@dataclass(frozen=True)
class Found:
    """What a search brought."""

    best: Options
    recipe_score: Estimate
    best_score: Estimate
    #: Best minus the recipe's settings, paired by product.
    gain: Estimate
    trials: int
    pruned: int
    ablations: tuple[Ablation, ...]

    @property
    def warranted(self) -> bool:
        """Whether the best is better than the recipe beyond chance."""
        return not self.gain.refused and self.gain.low > 0

    @property
    def verdict(self) -> str:
        """What to do about it, in a line."""
        if not self.ablations:
            return "no setting tried is better than the recipe's; train nothing for it"
        if self.gain.refused:
            return f"cannot tell whether the best is better: {self.gain.refused}"
        if not self.warranted:
            return "the gain's interval holds 0: a training with the best settings is not warranted"
        return "put `best` under train.model_options of the recipe"


class Trials:
    """Trains on one side of the train products and judges on the other."""

    def __init__(
        self,
        examples: Sequence[Example],
        studies: Sequence[Study],
        train: Train,
        read_photo: Callable[[str], bytes],
        seed: int,
    ) -> None:
        rng = np.random.default_rng(seed)
        products = sorted({one.product_id for one in examples})
        judges = set(rng.permutation(products)[: max(1, round(JUDGES * len(products)))])
        # What a synthetic row says of a model is what its writer believed.
        self._judges = [
            one
            for one in examples
            if one.product_id in judges and one.origin == "scraped"
        ]
        learned = [one for one in examples if one.product_id not in judges]
        if not self._judges or not learned:
            raise DataError(
                f"{len(products)} products with {len(examples)} rows are too few to search settings on"
            )
        mixed = [learned[at] for at in rng.permutation(len(learned))]
        # Temperature and fusion are fitted on rows that were not learned from, as on a night.
        held_out = max(1, round(HELD_OUT * len(mixed)))
        self._held_out, self._learned = mixed[:held_out], mixed[held_out:]
        self._studies, self._train, self._read = studies, train, read_photo
        self.sample = Sample.of(self._judges)

    def answers(self, options: Options, share: float = 1.0) -> Answers:
        """[n, 3] of the judging rows, from a model of that share of the learning rows."""
        rows = self._learned[: max(1, round(share * len(self._learned)))]
        data = TrainingData(rows, self._held_out, self._studies)
        trained = self._train(data, options)
        texts = [one.text for one in self._judges]
        photos = [
            self._read(one.photo_uri) if one.photo_uri else None for one in self._judges
        ]
        return trained.classifier.predict(texts, photos).probabilities

    def score(self, answers: Answers) -> float:
        """Three-way macro-F1."""
        return THREE_WAY(self.sample.truth, answers)


def search(
    trials: Trials, space: Space, recipe: Options, count: int, seed: int
) -> Found:
    """The best of `count` settings drawn from `space`, against `recipe` (every setting of the space in it)."""
    study = new_study(space, recipe, seed)
    add_trials(study, trials, space, recipe, count)
    return best_of(study, trials, recipe)


def new_study(
    space: Space,
    recipe: Options,
    seed: int,
    storage: optuna.storages.BaseStorage | None = None,
    name: str = "search",
) -> optuna.Study:
    """The study of that name in `storage`, begun if it is not there; without one, in memory.

    Processes that share a study draw by seeds of their own, and keep away from what others are at.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(
        storage=storage,
        study_name=name,
        load_if_exists=True,
        direction="maximize",
        sampler=optuna.samplers.TPESampler(
            seed=seed, constant_liar=storage is not None
        ),
        pruner=optuna.pruners.MedianPruner(n_startup_trials=2, n_warmup_steps=0),
    )
    # The recipe's own settings are the first trial: the others are pruned against it.
    study.enqueue_trial({name: recipe[name] for name in space}, skip_if_exists=True)
    return study


def add_trials(
    study: optuna.Study, trials: Trials, space: Space, recipe: Options, count: int
) -> int:
    """Try settings until the study has `count` ended trials, and say how many were tried here.

    Where other processes add theirs, each of them may end one more.
    """
    tried, space = 0, _holding(space, recipe)

    def objective(trial: optuna.Trial) -> float:
        nonlocal tried
        tried += 1
        return _objective(trial, trials, space, recipe)

    left = count - len(study.get_trials(deepcopy=False, states=ENDED))
    if left > 0:
        enough = optuna.study.MaxTrialsCallback(count, states=ENDED)
        study.optimize(objective, left, callbacks=[enough])
    return tried


def best_of(study: optuna.Study, trials: Trials, recipe: Options) -> Found:
    """The study's best settings against the recipe's; DataError where no trial has ended."""
    states = [one.state for one in study.get_trials(deepcopy=False, states=ENDED)]
    if TrialState.COMPLETE not in states:
        raise DataError(f"study {study.study_name} has no trial that was finished")
    best = {**recipe, **study.best_params}
    return _compared(trials, recipe, best, len(states), states.count(TrialState.PRUNED))


def _objective(
    trial: optuna.Trial, trials: Trials, space: Space, recipe: Options
) -> float:
    drawn = {name: _drawn(trial, name, one) for name, one in space.items()}
    score = 0.0
    for rung, share in enumerate(RUNGS):
        score = trials.score(trials.answers({**recipe, **drawn}, share))
        log.info("trial %d, %.2f of the rows: %.4f", trial.number, share, score)
        trial.report(score, rung)
        if rung + 1 < len(RUNGS) and trial.should_prune():
            raise optuna.TrialPruned
    return score


def _holding(space: Space, recipe: Options) -> Space:
    """The space, wide enough for what the recipe says: its own settings are a trial too."""
    found: dict[str, Range | Choice] = {}
    for name, one in space.items():
        own = recipe[name]
        if isinstance(one, Choice):
            inside = own in one.values
            found[name] = one if inside else replace(one, values=(*one.values, own))
        else:
            found[name] = replace(one, low=min(one.low, own), high=max(one.high, own))
    return found


def _drawn(trial: optuna.Trial, name: str, one: Range | Choice) -> Any:
    if isinstance(one, Choice):
        return trial.suggest_categorical(name, one.values)
    return trial.suggest_float(name, one.low, one.high, log=True)


def _compared(
    trials: Trials, recipe: Options, best: Options, count: int, pruned: int
) -> Found:
    ours, theirs = trials.answers(best), trials.answers(recipe)
    changed = [name for name in best if best[name] != recipe[name]]
    return Found(
        best=best,
        recipe_score=estimate(THREE_WAY, trials.sample, theirs),
        best_score=estimate(THREE_WAY, trials.sample, ours),
        gain=difference(THREE_WAY, trials.sample, ours, theirs),
        trials=count,
        pruned=pruned,
        ablations=tuple(
            Ablation(
                name,
                best[name],
                recipe[name],
                difference(
                    THREE_WAY,
                    trials.sample,
                    ours,
                    trials.answers({**best, name: recipe[name]}),
                ),
            )
            for name in changed
        ),
    )
