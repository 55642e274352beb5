"""Does the model look at the photo, beat a coin, answer in time? Controls for what a good figure hides."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from kindling.measure.estimates import difference, estimate, negated
from kindling.measure.metrics import (
    LOG_LOSS,
    NEGATIVE,
    POSITIVE,
    THREE_WAY,
    polarity_decision,
)
from kindling.measure.sample import Sample
from kindling.records import Estimate

#: Deals of the photos. With five, chance alone moved what shuffling costs by .005 nats (n=251); with these by .001.
PERMUTATIONS = 100
#: Fewer pairs than this are not worth a share.
MIN_CONFLICTS = 10

Request = TypeVar("Request")
Ask = Callable[[np.ndarray | None, np.ndarray | None], np.ndarray]
"""Row numbers [n] whose texts, and [n] whose photos, are put together -> probabilities [n, 3].

None leaves texts or photos out.
"""


@dataclass(frozen=True)
class PhotoControl:
    """On rows with a photo: what the photo adds, against the same photos dealt to other rows."""

    text_only: Estimate
    text_and_photo: Estimate
    photo_only: Estimate
    #: Three-way macro-F1, true minus shuffled photos.
    gain: Estimate
    #: Log-loss, shuffled minus true photos, in nats: the sensitive one.
    log_loss_gain: Estimate
    #: Three-way macro-F1, photo alone minus the most frequent class.
    photo_only_gain: Estimate
    #: Three-way macro-F1, text and photo minus text alone.
    over_text: Estimate
    #: Log-loss, text alone minus text and photo, in nats.
    over_text_log_loss: Estimate


def photo_control(
    sample: Sample,
    rows: np.ndarray,
    ask: Ask,
    rng: np.random.Generator,
) -> PhotoControl:
    """The sample holds the rows with a photo, `rows` [n] are their numbers for `ask`."""
    alone, photo, both = ask(rows, None), ask(None, rows), ask(rows, rows)
    shuffled = [
        ask(rows, rows[rng.permutation(len(sample))]) for _ in range(PERMUTATIONS)
    ]
    loss = difference(LOG_LOSS, sample, both, shuffled)
    return PhotoControl(
        text_only=estimate(THREE_WAY, sample, alone),
        text_and_photo=estimate(THREE_WAY, sample, both),
        photo_only=estimate(THREE_WAY, sample, photo),
        gain=difference(THREE_WAY, sample, both, shuffled),
        log_loss_gain=negated(loss),
        photo_only_gain=difference(THREE_WAY, sample, photo, constant(sample.truth)),
        over_text=difference(THREE_WAY, sample, both, alone),
        over_text_log_loss=negated(difference(LOG_LOSS, sample, both, alone)),
    )


@dataclass(frozen=True)
class Conflict:
    """Texts under photos of the opposite polarity, both from the holdout."""

    n: int
    #: Share of polarity decisions that go with the text, before and after the photos were exchanged.
    follows_text_matched: float
    follows_text_conflicting: float
    #: Mean confidence before and after.
    confidence_matched: float
    confidence_conflicting: float


def conflict(
    truth: np.ndarray,
    pictured: np.ndarray,
    ask: Ask,
    rng: np.random.Generator,
) -> Conflict | None:
    """Exchange photos between negative and positive rows; None when there are too few of either.

    `truth` [n] is that of the rows with a photo, `pictured` [n] their numbers for `ask`.

    The text's label stays the truth of the text, so the share says which side wins, not who is right.
    """
    negative, positive = (
        np.flatnonzero(truth == NEGATIVE),
        np.flatnonzero(truth == POSITIVE),
    )
    pairs = min(len(negative), len(positive))
    if 2 * pairs < MIN_CONFLICTS:
        return None
    rows = np.concatenate(
        [rng.permutation(negative)[:pairs], rng.permutation(positive)[:pairs]]
    )
    exchanged = np.roll(rows, pairs)
    matched = ask(pictured[rows], pictured[rows])
    conflicting = ask(pictured[rows], pictured[exchanged])
    return Conflict(
        n=2 * pairs,
        follows_text_matched=float((polarity_decision(matched) == truth[rows]).mean()),
        follows_text_conflicting=float(
            (polarity_decision(conflicting) == truth[rows]).mean()
        ),
        confidence_matched=float(matched.max(1).mean()),
        confidence_conflicting=float(conflicting.max(1).mean()),
    )


def constant(truth: np.ndarray) -> np.ndarray:
    """The predictor that always answers the most frequent class, [n, 3]."""
    return np.tile(np.eye(3)[np.bincount(truth, minlength=3).argmax()], (len(truth), 1))


def random_guess(truth: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The predictor that draws its answer by the classes' shares, [n, 3]."""
    shares = np.bincount(truth, minlength=3) / len(truth)
    return np.eye(3)[rng.choice(3, size=len(truth), p=shares)]


@dataclass(frozen=True)
class Latency:
    """Milliseconds of single requests, one after the other, in this process."""

    n: int
    p50: float
    p95: float


def latency(
    predict: Callable[[Request], object],
    requests: Sequence[Request],
    clock: Callable[[], float],
) -> Latency:
    """The first request is repeated before the clock starts; `clock` is in seconds."""
    predict(requests[0])
    taken = []
    for request in requests:
        began = clock()
        predict(request)
        taken.append(1000 * (clock() - began))
    return Latency(
        len(taken), float(np.percentile(taken, 50)), float(np.percentile(taken, 95))
    )
