"""What the similar reviews say, counted: no adverbs, only shares and how sure they are."""

from collections.abc import Sequence

from scipy.stats import binomtest

from kindling.records import SENTIMENTS
from kindling.serving.schemas import Share, SimilarReview, Summary


def summarise(reviews: Sequence[SimilarReview]) -> Summary:
    """Share per sentiment with its 95 % Wilson interval (Wilson 1927), and one sentence of it."""
    n = len(reviews)
    if n == 0:
        return Summary(n=0, shares={}, sentence="No similar reviews were found.")
    shares = {}
    for sentiment in SENTIMENTS:
        count = sum(review.sentiment == sentiment for review in reviews)
        interval = binomtest(count, n).proportion_ci(0.95, method="wilson")
        shares[sentiment] = Share(
            share=round(count / n, 4),
            low=round(float(interval.low), 4),
            high=round(float(interval.high), 4),
        )
    parts = ", ".join(
        f"{share.share:.0%} {sentiment} ({share.low:.0%} to {share.high:.0%})"
        for sentiment, share in sorted(shares.items(), key=lambda pair: -pair[1].share)
    )
    noun = "review" if n == 1 else "reviews"
    return Summary(
        n=n, shares=shares, sentence=f"{n} similar {noun}: {parts}; 95 % intervals."
    )
