"""What the similar reviews say, counted: no adverbs, no shares of a handful."""

from collections.abc import Sequence

from kindling.client.schemas import SimilarReview, Summary
from kindling.records import SENTIMENTS


def summarise(reviews: Sequence[SimilarReview]) -> Summary:
    """How many of each sentiment, and one sentence of it, the most frequent first."""
    n = len(reviews)
    if n == 0:
        return Summary(n=0, counts={}, sentence="No similar reviews were found.")
    counts = {
        sentiment: sum(review.sentiment == sentiment for review in reviews)
        for sentiment in SENTIMENTS
    }
    parts = ", ".join(
        f"{count} {sentiment}"
        for sentiment, count in sorted(counts.items(), key=lambda pair: -pair[1])
        if count
    )
    noun = "review" if n == 1 else "reviews"
    return Summary(n=n, counts=counts, sentence=f"{n} similar {noun}: {parts}.")
