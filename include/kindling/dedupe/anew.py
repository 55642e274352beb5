"""A night's decisions with all of its reviews compared in memory: for rows that no store holds."""

from collections.abc import Sequence

import numpy as np

from kindling.dedupe.clusters import cluster
from kindling.dedupe.leakage import copies_of_departed
from kindling.dedupe.night import Compared, Decided, Plan, Scraped, decided
from kindling.dedupe.placement import Membership
from kindling.dedupe.texts import Rules
from kindling.ports.rows import Outline
from kindling.records import Review


def decide(
    scraped: Scraped, plan: Plan, niche: Sequence[str], known: Membership
) -> Decided:
    """`decided` of reviews that are compared here, all of them, and not by their store."""
    rules, reviews = plan.rules, _with_words(scraped.reviews)
    clustering = cluster(
        reviews, rules, dict.fromkeys(known.reviews, 0), signed=_signed(known, rules)
    )
    new = {
        one.review_id for one in clustering.members if one.kept
    } - known.reviews.keys()
    here = {one.review_id for one in reviews}
    departed = [one for key, one in sorted(known.learned.items()) if key not in here]
    seen = copies_of_departed(
        (one for one in reviews if one.review_id in new), departed, rules
    )
    return decided(scraped, Compared(clustering, seen), plan, niche, known)


def _with_words(reviews: Sequence[Review] | Sequence[Outline]) -> list[Review]:
    return [one for one in reviews if isinstance(one, Review)]


def _signed(known: Membership, rules: Rules) -> dict[str, np.ndarray]:
    """Signatures that earlier nights made, by folded text: only new texts are signed."""
    return {
        one.folded: one.signature
        for one in known.learned.values()
        if one.signature is not None and len(one.signature) == rules.permutations
    }
