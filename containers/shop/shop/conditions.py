"""Which condition a review's photo shows, given what the review says: informative, never decisive."""

from collections.abc import Mapping

import numpy as np

from shop.records import Condition, Sentiment

#: Share of photos that show damage. Some negative reviews are about fit or price: their photo is intact.
DAMAGED: Mapping[Sentiment, float] = {
    "negative": 0.65,
    "neutral": 0.2,
    "positive": 0.04,
}


def draw_condition(
    sentiment: Sentiment, odds: Mapping[Condition, float], rng: np.random.Generator
) -> Condition:
    """Intact, or one of the damages by their odds (which sum to 1)."""
    if rng.random() >= DAMAGED[sentiment]:
        return "intact"
    kinds = list(odds)
    return kinds[int(rng.choice(len(kinds), p=[odds[kind] for kind in kinds]))]
