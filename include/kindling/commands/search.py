"""Search for better settings: in one process, or in steps that several processes share."""

import argparse
import dataclasses
import hashlib
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from kindling import extensions
from kindling import recipe as recipes
from kindling import settings as environment
from kindling.catalog import SEARCH_STEPS
from kindling.commands.stages import refuse_unknown, shard_of, write_report
from kindling.commands.train import Forgetful
from kindling.errors import ConfigurationError, DataError
from kindling.records import StageReport

if TYPE_CHECKING:
    from kindling.modeling.search import Found, Trials
    from kindling.ports.space import Space
    from kindling.recipe import Recipe
    from kindling.records import Estimate
    from kindling.settings import Settings

PARAMETERS = ("night", "recipe", "trials")


def add(commands: Any) -> None:
    """`search`."""
    search = commands.add_parser(
        "search",
        help="search the model's settings on the train rows of a run that has labels",
    )
    search.add_argument("--run", required=True)
    search.add_argument("--recipe", required=True)
    search.add_argument("--trials", type=int, default=8)
    search.add_argument(
        "--step",
        default="",
        choices=["", *(one.name for one in SEARCH_STEPS)],
        help="of a search whose study is kept in the database, where other processes add "
        "theirs: trials until there are so many, or the verdict on the best; empty: all, here",
    )
    search.add_argument(
        "--shard",
        default="0/1",
        help="which of the processes that add trials, as INDEX/COUNT from 0/2 and 1/2 on",
    )
    search.add_argument(
        "--conf",
        default="",
        help="the DAG run's conf as JSON; unknown parameters are refused",
    )
    search.set_defaults(act=_search)


def _search(arguments: argparse.Namespace) -> None:
    from kindling.modeling.device import set_threads
    from kindling.modeling.search import search

    settings = environment.from_environment()
    refuse_unknown(arguments.conf, PARAMETERS)
    recipe = recipes.load(arguments.recipe)
    if arguments.trials < 2:
        raise ConfigurationError(f"--trials {arguments.trials}; 2 and more are allowed")
    model = recipe.train.model
    space = getattr(extensions.find("classifier", model), "SPACE", None)
    if space is None:
        raise ConfigurationError(f"classifier {model} has no SPACE to search in")
    set_threads(settings.threads)
    own = extensions.options("classifier", model, recipe.train.model_options)
    options = own.model_dump()
    trials = _trials(settings, recipe, arguments.run)
    if arguments.step:
        report = _step(arguments, settings, recipe, trials, (space, options))
        write_report(report, settings.report_path)
        return
    found = search(trials, space, options, arguments.trials, recipe.seed)
    print(json.dumps(_told(found), default=str, indent=2))


def _trials(settings: "Settings", recipe: "Recipe", run: str) -> "Trials":
    from kindling import wiring
    from kindling.modeling.search import Trials
    from kindling.ports.classifier import Trained, TrainingData, TrainingTools
    from kindling.stages.view import RunView
    from kindling.stores.memory import MemoryObjects

    model = recipe.train.model
    module = extensions.find("classifier", model)
    objects = wiring.objects(settings)
    view = RunView(wiring.rows(settings), run)
    examples = view.examples("train")
    if not examples:
        raise DataError(f"run {run} has no labelled train rows to search on")

    def train(data: TrainingData, options: Any) -> Trained:
        # A trial's checkpoints are nobody's business after it.
        tools = TrainingTools(
            Forgetful(objects, MemoryObjects()),
            "search",
            wiring.text_model(settings),
            settings.threads,
            recipe.seed,
        )
        chosen = extensions.options("classifier", model, dict(options))
        found: Trained = module.train(data, chosen, tools)
        return found

    return Trials(examples, view.studies(), train, objects.get, recipe.seed)


def _step(
    arguments: argparse.Namespace,
    settings: "Settings",
    recipe: "Recipe",
    trials: "Trials",
    searched: "tuple[Space, Mapping[str, Any]]",
) -> StageReport:
    from kindling.modeling.search import add_trials, best_of, new_study
    from kindling.stores.studies import in_turn, outages_named

    space, options = searched
    shard = shard_of(arguments.shard, "search")
    name = _study_name(arguments.run, recipe, searched, trials.sample.sha256)
    # Two processes with one seed would draw the same settings.
    seed = recipe.seed + shard.index
    figures: dict[str, Any]
    with outages_named():
        study = in_turn(
            settings.required("database_url"),
            lambda storage: new_study(space, options, seed, storage, name),
        )
        if arguments.step == "trials":
            tried = add_trials(study, trials, space, options, arguments.trials)
            figures = {"study": name, "tried": tried}
        else:
            found = best_of(study, trials, options)
            tried, figures = found.trials, {"study": name, **_told(found)}
    return StageReport(
        arguments.step,
        arguments.run,
        rows_in=len(trials.sample),
        rows_out=tried,
        figures=figures,
        shard=shard.index,
        shards=shard.of,
    )


def _study_name(
    run: str,
    recipe: "Recipe",
    searched: "tuple[Space, Mapping[str, Any]]",
    rows_sha256: str,
) -> str:
    """Whatever a trial's score depends on is in it: trials of other rows, settings or code do not count."""
    from kindling.observe.lineage import stage_code_sha256

    stands_on = (
        recipe.train.model,
        recipe.seed,
        repr(sorted(searched[1].items())),
        repr(sorted(searched[0].items())),
        rows_sha256,
        stage_code_sha256("train"),
    )
    digest = hashlib.sha256(json.dumps(stands_on).encode()).hexdigest()
    return f"{run}@{digest[:12]}"


def _told(found: "Found") -> dict[str, Any]:
    return {
        "warranted": found.warranted,
        "verdict": found.verdict,
        "best": dict(found.best),
        "recipe_score": _figure(found.recipe_score),
        "best_score": _figure(found.best_score),
        "gain": _figure(found.gain),
        "trials": found.trials,
        "pruned": found.pruned,
        "ablations": [
            {
                "setting": one.setting,
                "best": one.value,
                "recipe": one.recipe,
                "worth": _figure(one.worth),
            }
            for one in found.ablations
        ],
    }


def _figure(one: "Estimate") -> dict[str, Any]:
    kept = ("value", "n", "low", "high", "data_sha256", "refused")
    plain = dataclasses.asdict(one)
    return {name: plain[name] for name in kept}
