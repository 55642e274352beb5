"""Why a synthetic row is not trained on, in words that a person can check."""

from collections.abc import Callable, Mapping, Sequence

from kindling.challenge.admission import Evidence
from kindling.challenge.utility import Utility
from kindling.records import (
    ChallengeVerdict,
    Rejection,
    Review,
    Sentiment,
    sentiment_of,
)


def rejections(
    verdicts: Sequence[ChallengeVerdict],
    evidence: Evidence,
    gain: Utility | None,
    asked: tuple[Sequence[Review], Sequence[Sentiment]],
) -> list[Rejection]:
    """One for every verdict that is against its row; `asked`: the rows and the sentiments asked for."""
    written, intended = asked
    copied, near = evidence.copying.copy_rate, evidence.copying.nearest_jaccard
    details: Mapping[str, Callable[[int], str]] = {
        "near_copy": lambda row: (
            f"{copied[row]:.2f} of its 5-grams stand in one real review; "
            f"Jaccard similarity to the nearest {near[row]:.2f}"
        ),
        "repeats_another": lambda row: "nearly the words of an earlier synthetic row",
        "label_leak": lambda row: "a token that tells the sentiment: see label_leaks",
        "word_salad": lambda row: "fewer of its word pairs are known than of real rows",
        "misses_sentiment": lambda row: (
            f"stars {written[row].rating} are not {intended[row]}, as asked"
            if sentiment_of(written[row].rating) != intended[row]
            else "rows asked for this sentiment convince less than real ones: "
            "see convinces_as_real"
        ),
        "length_leak": lambda row: (
            "rows of this sentiment have lengths that real ones have not: "
            "see length_distance"
        ),
        "off_sentiment": lambda row: (
            "probabilities "
            + ", ".join(f"{one:.2f}" for one in evidence.adherence.probabilities[row])
        ),
        "easily_told": lambda row: f"P(synthetic) {evidence.scores[row]:.3f}",
        "batch_harms": lambda row: (
            f"macro-F1 difference {gain.difference if gain else 'not measured'}"
        ),
        "invalid_discriminator": lambda row: (
            "the discriminator never found one of the sides"
        ),
    }
    return [
        Rejection(one.review_id, one.reason, details[one.reason](row))
        for row, one in enumerate(verdicts)
        if not one.admitted
    ]
