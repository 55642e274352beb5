"""Do the photos of reviews show what their product is said to be? Asked once a night, and told in the report."""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from kindling.modeling import category
from kindling.modeling.compact.rows import decode_all
from kindling.records import Example

#: Photos looked at, drawn by the seed: a dozen seconds of two cores.
LOOKED_AT = 480
#: A category with fewer photos says too little of what it looks like.
LEAST_PHOTOS = 12


def shown(
    examples: Sequence[Example], read_photo: Callable[[str], bytes], seed: int
) -> dict[str, Any]:
    """Figures for the report: how often a real photo's category is seen on it, and which photos show another.

    `skipped` says why, where two categories with photos enough are not there.
    """
    by_photo = {
        one.photo_uri: one
        for one in examples
        if one.photo_uri and one.origin == "scraped"
    }
    counts = Counter(one.category for one in by_photo.values())
    uris = sorted(
        uri for uri, one in by_photo.items() if counts[one.category] >= LEAST_PHOTOS
    )
    kinds = {by_photo[uri].category for uri in uris}
    if len(kinds) < 2:
        return {
            "skipped": f"{len(kinds)} categories have {LEAST_PHOTOS} real photos, two are needed"
        }
    drawn = np.random.default_rng(seed).permutation(len(uris))[:LOOKED_AT]
    kept = [uris[at] for at in sorted(drawn)]
    stated = [by_photo[uri].category for uri in kept]
    rare = {kind for kind, n in Counter(stated).items() if n < category.FOLDS}
    kept = [uri for uri in kept if by_photo[uri].category not in rare]
    stated = [by_photo[uri].category for uri in kept]
    pictures = decode_all(kept, read_photo, category.EYES_SIZE)
    found = category.agreement(pictures, stated, seed)
    return {
        "photos": found.photos,
        "categories": len(set(stated)),
        "top_1": round(found.top_1, 4),
        "top_3": round(found.top_3, 4),
        "in_doubt": [
            {
                "review_id": by_photo[kept[one.row]].review_id,
                "stated": stated[one.row],
                "seems": one.seems,
                "probability": round(one.probability, 3),
            }
            for one in found.doubts
        ],
    }
