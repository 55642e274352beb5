"""The run's parameters: what a person may set in the trigger form, checked before the run exists."""

import os
from importlib import resources
from pathlib import Path

from airflow.sdk import Param

#: Recipe of runs that name none, the scheduled ones among them.
DEFAULT_RECIPE = "KINDLING_RECIPE"

#: Category names, comma-separated. Which exist is the shop's to say, so the stage checks that.
NICHE_PATTERN = r"^$|^[^,\n]+(,[^,\n]+)*$"


def recipe_names() -> list[str]:
    """Recipes of the package, from their file names: reading them would import the product."""
    files = (
        entry.name for entry in (resources.files("kindling") / "recipes").iterdir()
    )
    return sorted(
        name.removesuffix(".yaml") for name in files if name.endswith(".yaml")
    )


def run_parameters() -> dict[str, Param]:
    """The parameters of a night by name; ValueError when KINDLING_RECIPE names no recipe."""
    return {
        "recipe": _recipe(),
        "niche": Param(
            "",
            type=["string", "null"],
            pattern=NICHE_PATTERN,
            maxLength=500,
            title="Niche",
            description="Categories in cold start, comma-separated. Empty: the recipe's own.",
        ),
        "target_size": Param(
            None,
            type=["integer", "null"],
            minimum=0,
            title="Target size",
            description="Rows wanted per niche category and sentiment, real and synthetic "
            "together. Empty: the recipe's own.",
        ),
    }


def search_parameters() -> dict[str, Param]:
    """The parameters of a search for settings; ValueError as above."""
    return {
        "night": Param(
            type="string",
            minLength=1,
            title="Night",
            description="Run id of a night that has labels: its train rows are what is learned from.",
        ),
        "recipe": _recipe(),
        "trials": Param(
            8,
            type="integer",
            minimum=2,
            maximum=1000,
            title="Trials",
            description="Settings tried, the recipe's own among them. A night that is searched again "
            "with more goes on from those that it has.",
        ),
    }


def _recipe() -> Param:
    recipes = recipe_names()
    default = os.environ.get(DEFAULT_RECIPE) or "demo"
    if Path(default).is_absolute() and default.endswith(".yaml"):
        recipes.append(default)  # A recipe of one's own; the stage reads and checks it.
    if default not in recipes:
        allowed = f"{', '.join(recipes)}, or the absolute path of a .yaml file"
        raise ValueError(f"{DEFAULT_RECIPE}={default!r}; allowed: {allowed}")
    return Param(
        default,
        type="string",
        enum=recipes,
        title="Recipe",
        description="What the run does: catalogue, stage settings and the gate's bar.",
    )
