"""Commands about training: what it would need, and whether it gives the same again."""

import argparse
import json
from pathlib import Path
from typing import Any

from kindling import extensions
from kindling import recipe as recipes
from kindling import settings as environment
from kindling.errors import ConfigurationError, DataError


def add(commands: Any) -> None:
    """`rerun` and `plan`."""
    rerun = commands.add_parser(
        "rerun",
        help="train a run's model again and compare; nothing is registered",
    )
    rerun.add_argument("--run", required=True)
    rerun.add_argument("--recipe", required=True)
    rerun.add_argument(
        "--tolerance",
        type=float,
        default=1e-3,
        help="largest difference of a probability",
    )
    rerun.set_defaults(act=_rerun)

    plan = commands.add_parser(
        "plan", help="memory that training a vision-language model would take"
    )
    plan.add_argument("--recipe", required=True, help="one with train.model: vlm")
    plan.add_argument("--ranks", type=int, default=1, help="processes, of all machines")
    plan.add_argument(
        "--gib", type=float, default=0.0, help="memory of a rank; 0: this machine's"
    )
    plan.set_defaults(act=_plan)


class Forgetful:
    """Photos of the run, and checkpoints that are forgotten."""

    def __init__(self, read: Any, write: Any) -> None:
        self._read, self._write = read, write

    def get(self, uri: str) -> bytes:
        found: bytes = self._read.get(uri)
        return found

    def __getattr__(self, name: str) -> Any:
        return getattr(self._write, name)


def _rerun(arguments: argparse.Namespace) -> None:
    from kindling import wiring
    from kindling.catalog import stage
    from kindling.stages.contract import Context
    from kindling.stages.rerun import rerun
    from kindling.stores.memory import MemoryObjects

    settings = environment.from_environment()
    recipe = recipes.load(arguments.recipe)
    context = Context(
        arguments.run,
        recipe,
        recipe.niche,
        recipe.synthesize.target_size,
        recipe.seed,
    )
    needs = wiring.hand(settings)(context, stage("train").needs)
    # Its checkpoints would be those of the first training, and it would go on where that ended.
    needs.objects = Forgetful(needs.objects, MemoryObjects())
    found = rerun(recipe.train, context, needs)
    card = {
        name: "the same" if then == now else {"then": then, "now": now}
        for name, (then, now) in found.card.items()
    }
    if "rows" in found.differing:
        card["rows"] = "others"
    print(
        json.dumps(
            {
                "version": found.version,
                "n": found.n,
                "largest_difference": found.largest_difference,
                "answers_changed": found.answers_changed,
                "card": card,
            },
            indent=2,
        )
    )
    if found.largest_difference > arguments.tolerance:
        raise DataError(
            f"version {found.version} trained again is another model: a probability differs by "
            f"{found.largest_difference:.4f}, {arguments.tolerance:g} are allowed; not the same: "
            f"{', '.join(found.differing) or 'nothing that is known'}"
        )


def _plan(arguments: argparse.Namespace) -> None:
    recipe = recipes.load(arguments.recipe)
    if recipe.train.model != "vlm":
        raise ConfigurationError(
            f"recipe {recipe.name}: train.model is {recipe.train.model!r}; plan is for vlm"
        )
    from kindling.modeling.vlm import planner

    options = extensions.options("classifier", "vlm", recipe.train.model_options)
    if arguments.gib:
        shape = planner.Shape.of(Path(options.folder))
        room = int(arguments.gib * planner.GIB)
        print(planner.fitting(shape, options, arguments.ranks, room))
    else:
        print(planner.plan(Path(options.folder), options, arguments.ranks))
