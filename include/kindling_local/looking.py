"""What the user gave as data or as a shop: shown before anything starts, and made into a recipe."""

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from kindling_local.environment import find_chromium, find_lightpanda
from kindling_local.errors import SupervisorError
from kindling_local.layout import Layout
from kindling_local.once import Wanted
from kindling_local.preparation import last_words
from kindling_local.summary import plain

#: What the product's last line begins with; the recipe's path is the rest.
RECIPE_LINE = "recipe      "


def settled(console: Console, layout: Layout, wanted: Wanted) -> Wanted:
    """What is wanted, with a recipe: the one given, the default, or the one written for data or shop.

    SupervisorError, before anything is started, when there is too little to learn from (exit code 3)
    or when two of RECIPE, DATA and SHOP speak of different things (2).
    """
    if wanted.data and wanted.shop:
        raise SupervisorError(
            f"DATA={wanted.data} and SHOP={wanted.shop}: give one of them, or list both under "
            "`sources:` of a recipe",
            exit_code=2,
        )
    if wanted.shop and wanted.recipe:
        raise SupervisorError(
            f"RECIPE={wanted.recipe} names its own sources, SHOP={wanted.shop} another one: give "
            "one of them; `make look SHOP=…` writes a recipe to edit",
            exit_code=2,
        )
    if wanted.recipe:
        if wanted.data and Path(wanted.data).expanduser().is_file():
            raise SupervisorError(
                f"RECIPE={wanted.recipe} names its own sources, DATA={wanted.data} is a file: give "
                "one of them; `make look DATA=…` writes a recipe to edit",
                exit_code=2,
            )
        return wanted
    if not wanted.data and not wanted.shop:
        return replace(wanted, recipe="demo")
    recipe = shown(lambda line: plain(console, line), layout, wanted)
    return replace(wanted, recipe=recipe, data="", shop="", niche="")


def shown(say: Callable[[str], None], layout: Layout, wanted: Wanted) -> str:
    """Print what the product finds in the data or the shop; the path of the recipe that it wrote."""
    given = (
        ["--shop", wanted.shop] if wanted.shop else ["--data", _existing(wanted.data)]
    )
    niche = ["--niche", wanted.niche] if wanted.niche else []
    out = ["--out", str(layout.var / "recipes")]
    recipe = ""
    with subprocess.Popen(
        [sys.executable, "-m", "kindling", "look", *given, *niche, *out],
        env=_environment(layout, os.environ),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None and process.stderr is not None
        for line in process.stdout:
            say(line.rstrip("\n"))
            if line.startswith(RECIPE_LINE):
                recipe = line.removeprefix(RECIPE_LINE).strip()
        said = process.stderr.read()
    if process.returncode or not recipe:
        raise SupervisorError(
            last_words(said)
            or f"python -m kindling look ended with {process.returncode}",
            exit_code=process.returncode or 1,
        )
    return str(Path(recipe).resolve())


def _existing(data: str) -> str:
    path = Path(data).expanduser()
    if not path.exists():
        raise SupervisorError(f"DATA={data}: no such file or folder", exit_code=2)
    return str(path)


def _environment(layout: Layout, outer: Mapping[str, str]) -> dict[str, str]:
    return {
        # The data folder is the bundled shop's alone, and may be a path of another place.
        **{name: value for name, value in outer.items() if name != "KINDLING_DATA"},
        "KINDLING_CHROMIUM": find_chromium(outer),
        "KINDLING_LIGHTPANDA": find_lightpanda(outer),
        "PYTHONPATH": str(layout.root / "include"),
        "PYTHONUNBUFFERED": "1",
    }
