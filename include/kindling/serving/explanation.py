"""Which words a sentiment hangs on: each part of the text is left out once, and the answer compared.

Occlusion, as in Zeiler and Fergus 2014, "Visualizing and Understanding Convolutional Networks".
It asks the very model that serves, text by text; it explains the model and not the world.
"""

import re
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kindling.records import SENTIMENTS

#: Parts at most: each costs one pass of the model, and others wait for it.
PARTS = 24
_WORD = re.compile(r"\S+\s*")


def parts(text: str) -> list[tuple[int, int]]:
    """Spans that cover the text, each a word or, in a long text, several beside each other."""
    words = [(one.start(), one.end()) for one in _WORD.finditer(text)]
    size = -(-len(words) // PARTS) if words else 1
    return [
        (group[0][0], group[-1][1])
        for group in (words[at : at + size] for at in range(0, len(words), size))
    ]


def explained(
    text: str, probabilities: Callable[[Sequence[str]], NDArray[np.float64]]
) -> dict[str, Any]:
    """The sentiment, and by how much its probability falls without each part; in order of the text."""
    spans = parts(text)
    without = [text[:start] + text[end:] for start, end in spans]
    # A text of one part leaves nothing behind, which no model reads.
    asked = [text, *(one for one in without if one.strip())]
    found = probabilities(asked)
    best = int(found[0].argmax())
    rest = iter(found[1:, best].tolist())
    falls = [
        float(found[0, best]) - next(rest) if one.strip() else None for one in without
    ]
    return {
        "sentiment": SENTIMENTS[best],
        "confidence": round(float(found[0, best]), 4),
        "parts": [
            {
                "start": start,
                "end": end,
                "text": text[start:end].strip(),
                "weight": None if fall is None else round(fall, 4),
            }
            for (start, end), fall in zip(spans, falls, strict=True)
        ],
    }
