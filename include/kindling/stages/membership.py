"""What earlier nights decided about splits, kept in the standing store.

One fact a night, under the topic of the recipe, with what that night added: golden rows are
golden for good, whatever is linked to them later. A night's own fact is not read back, so
that its retry decides as its first attempt did.
"""

import base64
from collections.abc import Mapping
from typing import Any

import numpy as np

from kindling.dedupe.leading import Leader
from kindling.dedupe.placement import Membership
from kindling.ports.standing import StandingStore

SIGNATURE = np.dtype("<u2")


def remembered(standing: StandingStore, recipe: str, run_id: str) -> Membership:
    """Splits of products, reviews and photos as every other night of the recipe left them."""
    products: dict[str, Any] = {}
    reviews: dict[str, Any] = {}
    photos: dict[str, Any] = {}
    learned: dict[str, Leader] = {}
    facts = standing.latest(_topic(recipe)).values()
    for fact in sorted(facts, key=lambda one: one.number):
        if fact.key == run_id:
            continue
        # The first night that said something of a row is the one that counts.
        products = dict(fact.value["products"]) | products
        reviews = dict(fact.value["reviews"]) | reviews
        photos = dict(fact.value["photos"]) | photos
        learned = _leaders(fact.value["learned"]) | learned
    return Membership(products, reviews, photos, learned)


def remember(
    standing: StandingStore,
    recipe: str,
    run_id: str,
    known: Membership,
    now: Membership,
) -> None:
    """Add what this night decided beyond what was known."""
    standing.append(
        _topic(recipe),
        run_id,
        {
            "products": _added(known.products, now.products),
            "reviews": _added(known.reviews, now.reviews),
            "photos": _added(known.photos, now.photos),
            "learned": {
                key: _packed(leader)
                for key, leader in _added(known.learned, now.learned).items()
            },
        },
    )


def _topic(recipe: str) -> str:
    return f"membership/{recipe}"


def _added(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in after.items() if key not in before}


def _packed(leader: Leader) -> list[str]:
    signature = b""
    if leader.signature is not None:
        signature = leader.signature.astype(SIGNATURE).tobytes()
    return [
        leader.folded,
        leader.scope,
        leader.sentiment,
        base64.b64encode(signature).decode("ascii"),
    ]


def _leaders(packed: Mapping[str, Any]) -> dict[str, Leader]:
    found = {}
    for review_id, (folded, scope, sentiment, text) in packed.items():
        raw = base64.b64decode(text)
        signature = np.frombuffer(raw, SIGNATURE).astype(np.uint16) if raw else None
        found[review_id] = Leader(review_id, folded, scope, sentiment, signature)
    return found
