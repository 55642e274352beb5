"""`python -m kindling look`: show a source, say whether it will do, write the recipe for it."""

import sys
from pathlib import Path
from typing import Any

from kindling.errors import DataError
from kindling.look import proposal
from kindling.look.findings import Findings
from kindling.look.showing import lines_of
from kindling.look.verdict import problems, warnings
from kindling.ports.source import SourceTools
from kindling.settings import Settings


def look(data: str, shop: str, out: Path, settings: Settings) -> None:
    """Print the findings and write the recipe; DataError (exit 3) when it is too little for a run."""
    tools: Any = SourceTools(
        objects=None,  # type: ignore[arg-type]
        standing=None,  # type: ignore[arg-type]
        seed=0,
        shop_url=settings.shop_url,
        chromium=settings.chromium or None,
    )
    if data:
        from kindling.look.files import look_at

        findings, options = look_at(Path(data), f"DATA={data}", tools)
        name = proposal.name_of(Path(data).name)
        source = {"kind": "files", **_said(options)}
    else:
        from kindling.look.shop import look_at_shop

        findings, options = look_at_shop(shop, tools)
        name = proposal.name_of(shop)
        source = {"kind": "shop", **_said(options)}
    for line in lines_of(findings):
        print(line)
    _refuse(findings, settings)
    for warning in warnings(findings):
        print(f"note        {warning}")
    path = out / f"{name}.yaml"
    recipe = proposal.recipe_for(findings, name, source)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(proposal.as_yaml(recipe, findings, str(path)), encoding="utf-8")
    print(f"niche       {', '.join(recipe['niche'])}: {_why_niche(findings)}")
    print(f"recipe      {path}")
    sys.stdout.flush()


def _refuse(findings: Findings, settings: Settings) -> None:
    found = problems(findings, own_weights=bool(settings.text_model))
    if found:
        sys.stdout.flush()
        raise DataError(
            f"{findings.given} is not enough to learn from:\n  - "
            + "\n  - ".join(found)
        )


def _said(options: Any) -> dict[str, Any]:
    """The options that differ from their defaults, as a recipe says them."""
    return dict(options.model_dump(mode="json", exclude_defaults=True))


def _why_niche(findings: Findings) -> str:
    if len(findings.categories) <= proposal.ALL_NICHE:
        return "all categories of the source are filled where a class is short"
    return "its smallest categories, which the others lend their wording"
