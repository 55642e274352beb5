"""The recipe that a source would be run with: settings that fit how much there is of it."""

import re
from collections.abc import Mapping
from typing import Any

import yaml

from kindling.look.findings import Findings
from kindling.look.verdict import MIN_PER_CLASS, MIN_REVIEWS

#: Categories that a run fills at most.
MAX_NICHE = 3
#: Golden reviews of a category without which the gate cannot tell whether filling it helped.
JUDGED = 30
_GOLDEN_SHARE = 0.25
#: Reviews of a category from which on its golden share is that many.
ENOUGH = int(JUDGED / _GOLDEN_SHARE)

_HEADER = """\
# Written by `make look` for {given}: {reviews} reviews of {products}.
# Edit it, then: make run RECIPE={path}
# Every key and its default: python -m kindling recipe demo
"""


def recipe_for(
    findings: Findings, name: str, source: Mapping[str, Any]
) -> dict[str, Any]:
    """The recipe as YAML has it. Small data gets more passes, wider tolerances and a lower bar."""
    total = len(findings.reviews)
    photos = findings.photos_named
    return {
        "name": name,
        "summary": f"reviews of {findings.given}",
        "sources": [dict(source)],
        "niche": niche_of(findings),
        **_floor(findings),
        "dedupe": _dedupe(total),
        "synthesize": _synthesize(total, photos, min(findings.classes.values())),
        "train": {"model": "compact", "model_options": _passes(total, photos)},
        "promote": {
            "bar": _by_size(total, 0.5, 0.6, 0.7, 0.8),
            "tolerance": _by_size(total, 0.1, 0.05, 0.02, 0.02),
        },
        "index": {"recall_queries": min(50, max(10, total // 20))},
    }


def niche_of(findings: Findings) -> list[str]:
    """Categories to fill: the largest, for only of those can a figure tell whether it helped."""
    largest = list(findings.categories)
    judged = [name for name in largest if findings.categories[name] >= ENOUGH]
    return judged[:MAX_NICHE] or largest[:1]


def as_yaml(recipe: Mapping[str, Any], findings: Findings, path: str) -> str:
    """The recipe's text, with a comment on top that says what it is for."""
    head = _HEADER.format(
        given=findings.given,
        reviews=f"{len(findings.reviews):,}",
        products=f"{findings.products_named:,} products",
        path=path,
    )
    return head + yaml.safe_dump(dict(recipe), sort_keys=False, allow_unicode=True)


def name_of(given: str) -> str:
    """A recipe's name from a file's name or an address: letters, digits and dashes."""
    stem = re.sub(
        r"^https?://|\.(?:gz|csv|tsv|txt|jsonl|ndjson|json|parquet)\b", "", given
    )
    plain = re.sub(r"[^a-z0-9]+", "-", stem.casefold()).strip("-")
    return plain[:40].strip("-") or "mine"


def _floor(findings: Findings) -> dict[str, Any]:
    """What a showing of all rows has asked already, the run asks where only a part was looked at."""
    if not findings.sampled:
        return {}
    return {"scrape": {"min_reviews": MIN_REVIEWS, "min_per_class": MIN_PER_CLASS}}


def _by_size(total: int, *values: float) -> float:
    """The value for fewer than 1,000, than 3,000, than 10,000 reviews, and for more."""
    position = sum(total >= bound for bound in (1_000, 3_000, 10_000))
    return values[position]


def _dedupe(total: int) -> dict[str, Any]:
    """A larger holdout where there are few rows: intervals on 75 of them say nothing."""
    return (
        {"golden_share": _GOLDEN_SHARE, "validation_share": 0.2}
        if total < 1_000
        else {}
    )


def _synthesize(total: int, photos: int, rarest: int) -> dict[str, Any]:
    """`rarest`: reviews of the rarest class; where one category has them all, it is still filled."""
    settings: dict[str, Any] = {
        "target_size": max(int(_by_size(total, 20, 40, 80, 150)), int(0.8 * rarest)),
        "max_rows": int(_by_size(total, 80, 200, 400, 1_500)),
        "studies": min(640, 4 * photos),
    }
    if not photos:
        settings["photo_share"] = 0.0
    return settings


def _passes(total: int, photos: int) -> dict[str, Any]:
    if total < 1_000:
        # A few hundred rows: several passes in small batches, or nothing is learned.
        return {
            "epochs": 4,
            "batch_size": 16,
            "learning_rate": 3e-4,
            "max_tokens": 96,
            "image_epochs": 3 if photos < 500 else 8,
        }
    return {"epochs": 3 if total < 3_000 else 2 if total < 10_000 else 1}
