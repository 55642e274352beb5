"""`python -m kindling look`: show a source, say whether it will do, write the recipe for it."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kindling.errors import DataError
from kindling.look import proposal
from kindling.look.findings import Findings
from kindling.look.showing import lines_of
from kindling.look.verdict import problems, warnings
from kindling.ports.source import SourceTools, require_categories
from kindling.recipe import load
from kindling.settings import Settings

#: The last line begins with it and ends with the recipe's path; the supervisor reads it.
RECIPE_LINE = "recipe      "


@dataclass(frozen=True)
class Asked:
    """What the command line asks about: data or a shop, and the niche of a run on it."""

    data: str
    shop: str
    niche: Sequence[str]
    #: Folder of the recipe.
    out: Path


def look(asked: Asked, settings: Settings) -> None:
    """Print the findings and write the recipe; DataError (exit 3) when it is too little for a run."""
    tools: Any = SourceTools(
        objects=None,  # type: ignore[arg-type]
        standing=None,  # type: ignore[arg-type]
        seed=0,
        shop_url=settings.shop_url,
        chromium=settings.chromium or None,
        lightpanda=settings.lightpanda or None,
    )
    options: Any
    data, shop = asked.data, asked.shop
    if data:
        from kindling.look.files import look_at

        findings, options = look_at(
            Path(data), f"DATA={data}", tools, bool(settings.text_model)
        )
        name = proposal.name_of(Path(data).name)
        source = {"kind": "files", **_said(options)}
    else:
        from kindling.look.shop import look_at_shop

        findings, options = look_at_shop(shop, tools)
        name = proposal.name_of(shop)
        source = {"kind": "shop", **_said(options)}
    for line in lines_of(findings):
        print(line)
    sys.stdout.flush()
    _refuse(findings, settings)
    if not findings.sampled:
        require_categories(asked.niche, findings.categories, "NICHE")
    for warning in warnings(findings):
        print(f"note        {warning}")
    path = asked.out / f"{name}.yaml"
    recipe = proposal.recipe_for(findings, name, source)
    if asked.niche:
        recipe["niche"] = list(asked.niche)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(proposal.as_yaml(recipe, findings, str(path)), encoding="utf-8")
    # A setting that no stage knows would be found out only by the run.
    load(str(path))
    why = "as given" if asked.niche else _why_niche(findings)
    print(f"niche       {', '.join(recipe['niche'])}: {why}")
    print(f"{RECIPE_LINE}{path}")


def _refuse(findings: Findings, settings: Settings) -> None:
    found = problems(findings, own_weights=bool(settings.text_model))
    if found:
        raise DataError(
            f"{findings.given} is not enough to learn from:\n  - "
            + "\n  - ".join(found)
        )


def _said(options: Any) -> dict[str, Any]:
    """The options that differ from their defaults, as a recipe says them."""
    return dict(options.model_dump(mode="json", exclude_defaults=True))


def _why_niche(findings: Findings) -> str:
    if len(findings.categories) == 1:
        return "the one category there is"
    largest, here = next(iter(findings.categories.items()))
    if here < proposal.ENOUGH:
        return (
            f"the largest; a figure of it alone takes about {proposal.ENOUGH} reviews, "
            f"and {largest} has {here}"
        )
    return "the largest, where a figure can tell whether filling a class helped"
