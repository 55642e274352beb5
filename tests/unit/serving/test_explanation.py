"""Parts of a text and their weights, for any text and any model."""

from collections.abc import Sequence

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from kindling.serving.explanation import PARTS, explained, parts


@given(st.text(max_size=400))
def test_parts_cover_all_words_in_order_and_are_few(text: str) -> None:
    spans = parts(text)
    assert len(spans) <= PARTS
    assert spans == sorted(spans)
    covered = "".join(text[start:end] for start, end in spans)
    assert covered.split() == text.split()
    assert all(
        first[1] == then[0] for first, then in zip(spans, spans[1:], strict=False)
    )


def broken_is_negative(texts: Sequence[str]) -> np.ndarray:
    """A model of one word."""
    return np.array(
        [[0.8, 0.1, 0.1] if "broken" in t else [0.1, 0.1, 0.8] for t in texts]
    )


def test_the_word_that_decides_has_all_the_weight() -> None:
    found = explained("it came broken today", broken_is_negative)
    assert (found["sentiment"], found["confidence"]) == ("negative", 0.8)
    weights = {one["text"]: one["weight"] for one in found["parts"]}
    assert weights == {"it": 0.0, "came": 0.0, "broken": 0.7, "today": 0.0}
