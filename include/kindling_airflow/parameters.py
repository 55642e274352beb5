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
    """The parameters by name; ValueError when KINDLING_RECIPE names no recipe."""
    recipes = recipe_names()
    default = os.environ.get(DEFAULT_RECIPE) or "demo"
    if Path(default).is_absolute() and default.endswith(".yaml"):
        recipes.append(default)  # A recipe of one's own; the stage reads and checks it.
    if default not in recipes:
        allowed = f"{', '.join(recipes)}, or the absolute path of a .yaml file"
        raise ValueError(f"{DEFAULT_RECIPE}={default!r}; allowed: {allowed}")
    return {
        "recipe": Param(
            default,
            type="string",
            enum=recipes,
            title="Recipe",
            description="What the run does: catalogue, stage settings and the gate's bar.",
        ),
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
