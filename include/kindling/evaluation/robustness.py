"""The same reviews, written worse or with a worse photo: what a model loses by it.

Behavioural tests of invariance, as in Ribeiro et al. 2020, "Beyond Accuracy: Behavioral Testing of
NLP Models with CheckList": none of these changes what a review says, so none may change the answer
much. A photo that is dark or out of focus says less, and one of another product says nothing: the
text has to hold against them.
"""

import io
import re
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from PIL import ImageEnhance, ImageFilter

from kindling.measure.estimates import difference
from kindling.measure.metrics import ACCURACY
from kindling.measure.sample import Sample
from kindling.pictures import read_picture
from kindling.records import Estimate

#: Rows that are written anew: each costs one more answer a change.
ROWS = 400
#: Words in which two letters are exchanged, and the share of a text's words that is kept.
TYPO_SHARE, KEPT_SHARE = 0.1, 0.7
#: Rows whose photo is changed: each costs the image tower one more look a change.
PHOTO_ROWS = 150
#: Blur's radius as a share of the photo's shorter side, and the share of light that is left.
BLUR_SHARE, LIGHT = 0.02, 0.35
_EMOJI = ("🙂", "👗", "✨", "📦", "🛍️")

Change = Callable[[str, np.random.Generator], str]


def typos(text: str, rng: np.random.Generator) -> str:
    """Every tenth word of four letters and more has two inner letters exchanged."""
    words = text.split(" ")
    for at, word in enumerate(words):
        if len(word) > 3 and word.isalpha() and rng.random() < TYPO_SHARE:
            swap = int(rng.integers(1, len(word) - 2))
            words[at] = word[:swap] + word[swap + 1] + word[swap] + word[swap + 2 :]
    return " ".join(words)


def truncation(text: str, rng: np.random.Generator) -> str:
    """The last words are missing."""
    words = text.split(" ")
    return " ".join(words[: max(1, round(KEPT_SHARE * len(words)))])


def capitals(text: str, rng: np.random.Generator) -> str:
    """ALL OF IT SHOUTED."""
    return text.upper()


def punctuation(text: str, rng: np.random.Generator) -> str:
    """None at all, apostrophes within words aside."""
    return " ".join(re.sub(r"(?<!\w)'|'(?!\w)|[^\w\s']", " ", text).split())


def emoji(text: str, rng: np.random.Generator) -> str:
    """Two that say nothing of what is thought, at the end."""
    return f"{text} {' '.join(rng.choice(_EMOJI, 2))}"


CHANGES: Mapping[str, Change] = {
    "typos": typos,
    "truncation": truncation,
    "capitals": capitals,
    "no punctuation": punctuation,
    "emoji": emoji,
}


def robustness(
    sample: Sample,
    texts: Sequence[str],
    answer: Callable[[Sequence[str]], np.ndarray],
    rng: np.random.Generator,
) -> dict[str, Estimate]:
    """Accuracy after each change minus before, paired, on ROWS rows at most.

    `answer` gives probabilities [n, 3] of texts alone: a photo would hide what the text lost.
    """
    chosen = np.sort(rng.permutation(len(texts))[:ROWS])
    few = sample.where(np.isin(np.arange(len(texts)), chosen))
    plain = [texts[row] for row in chosen]
    before = answer(plain)
    return {
        name: difference(
            ACCURACY, few, answer([change(text, rng) for text in plain]), before
        )
        for name, change in CHANGES.items()
    }


def blurred(photo: bytes) -> bytes:
    """Out of focus. PictureError where the bytes are no picture."""
    picture = read_picture(photo)
    radius = max(1.0, BLUR_SHARE * min(picture.size))
    buffer = io.BytesIO()
    picture.filter(ImageFilter.GaussianBlur(radius)).save(buffer, "PNG")
    return buffer.getvalue()


def darkened(photo: bytes) -> bytes:
    """Taken in the evening. PictureError where the bytes are no picture."""
    buffer = io.BytesIO()
    ImageEnhance.Brightness(read_picture(photo)).enhance(LIGHT).save(buffer, "PNG")
    return buffer.getvalue()


PHOTO_CHANGES: Mapping[str, Callable[[bytes], bytes]] = {
    "blurred photo": blurred,
    "dark photo": darkened,
}
WRONG_PHOTO = "photo of another product"

AnswerPairs = Callable[[Sequence[str], Sequence[bytes]], np.ndarray]
"""Texts [n] and photos [n] -> probabilities [n, 3]."""


def photo_robustness(
    sample: Sample,
    texts: Sequence[str],
    photos: Sequence[bytes],
    answer: AnswerPairs,
    rng: np.random.Generator,
) -> dict[str, Estimate]:
    """Accuracy of text and photo after each change of the photo minus before, paired.

    `sample` holds the rows with a photo, `photos` [n] are theirs; PHOTO_ROWS rows at most are
    asked about. Nothing is measured of a wrong photo where all rows are of one product.
    """
    chosen = np.sort(rng.permutation(len(texts))[:PHOTO_ROWS])
    few = sample.where(np.isin(np.arange(len(texts)), chosen))
    said = [texts[row] for row in chosen]
    shown = [photos[row] for row in chosen]
    changed = {
        name: [change(photo) for photo in shown]
        for name, change in PHOTO_CHANGES.items()
    }
    other = _of_other_products(few.products, rng)
    if other is not None:
        changed[WRONG_PHOTO] = [shown[row] for row in other]
    before = answer(said, shown)
    return {
        name: difference(ACCURACY, few, answer(said, instead), before)
        for name, instead in changed.items()
    }


def _of_other_products(
    products: np.ndarray, rng: np.random.Generator
) -> np.ndarray | None:
    """For each row the number of one of another product; None where there is but one product."""
    if len(np.unique(products)) < 2:
        return None
    rows = np.arange(len(products))
    return np.array(
        [rng.choice(rows[products != product]) for product in products], dtype=int
    )
