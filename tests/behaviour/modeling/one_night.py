"""A night's last stages over stores in memory: what the tests of train, evaluate and promote share."""

import json
from types import SimpleNamespace
from typing import Any

from kindling.recipe import EvaluateConfig, PromoteConfig, Recipe, TrainConfig
from kindling.records import StageReport
from kindling.stages import evaluate, promote, runner, train
from kindling.stages.contract import Context, Outcome
from kindling.stages.view import Holdout, RunView

TRAIN = TrainConfig(
    model="compact",
    model_options={
        "epochs": 6,
        "batch_size": 16,
        "max_tokens": 32,
        "learning_rate": 3e-3,
        "head_learning_rate": 3e-3,
        "image_epochs": 4,
        "image_size": 32,
    },
)
EVALUATE = EvaluateConfig(photo_note="Photos are drawn.")
# 150 golden rows cannot rule out less than a tenth: the gate would say that it cannot tell.
PROMOTE = PromoteConfig(bar=0.5, tolerance=0.1, min_photos=30)
CONTEXT = Context(
    "night-1",
    Recipe(
        name="tiny",
        summary="",
        sources=({"kind": "shop", "catalogue": "bundled-smoke"},),
    ),
    ("Vases",),
    20,
    seed=5,
)


def elsewhere(needs: Any, run_id: str) -> Any:
    """The same stores, opened for another run."""
    doors = {
        "view": RunView(needs.rows, run_id),
        "holdout": Holdout(needs.rows, run_id),
    }
    return SimpleNamespace(**{**vars(needs), **doors})


def commit(stage: str, outcome: Outcome, needs: Any) -> Outcome:
    """What the runner does with an outcome, figures as JSON gives them back."""
    figures = json.loads(json.dumps(runner._plain(outcome.figures), default=vars))
    needs.rows.commit(
        StageReport(
            stage, CONTEXT.run_id, outcome.rows_in, outcome.rows_out, figures=figures
        ),
        [],
        [],
    )
    return outcome


def night(
    needs: Any, rules: PromoteConfig = PROMOTE
) -> tuple[Outcome, Outcome, Outcome]:
    return (
        commit("train", train.run(TRAIN, CONTEXT, needs), needs),
        commit("evaluate", evaluate.run(EVALUATE, CONTEXT, needs), needs),
        commit("promote", promote.run(rules, CONTEXT, needs), needs),
    )
