"""How a text is written, apart from what it says: measures by family, and texts with a family taken out."""

import re
from collections.abc import Callable, Mapping, Sequence

import numpy as np

#: family -> its measures, each a text's number; counts are logged, since lengths are skewed.
MEASURES: Mapping[str, Mapping[str, Callable[[str], float]]] = {
    "length": {
        "log characters": lambda text: float(np.log1p(len(text))),
        "log words": lambda text: float(np.log1p(len(text.split()))),
        "log words per sentence": lambda text: float(
            np.log1p(
                len(text.split()) / max(1, len(re.findall(r"[.!?]+(?:\s|$)", text)))
            )
        ),
    },
    "punctuation": {
        "full stops per character": lambda text: text.count(".") / max(1, len(text)),
        "commas per character": lambda text: text.count(",") / max(1, len(text)),
        "exclamation marks per character": lambda text: (
            text.count("!") / max(1, len(text))
        ),
        "apostrophes per character": lambda text: (
            (text.count("'") + text.count("’")) / max(1, len(text))
        ),
        "other marks per character": lambda text: (
            len(re.findall(r"[^\w\s.,!'’]", text)) / max(1, len(text))
        ),
        "ends with a mark": lambda text: float(bool(re.search(r"[^\w\s]\s*$", text))),
    },
    "capitals": {
        "capitals per letter": lambda text: (
            sum(map(str.isupper, text)) / max(1, sum(map(str.isalpha, text)))
        ),
        "sentences begun in lower case": lambda text: (
            len(re.findall(r"(?:^|[.!?]\s+)[a-z]", text))
            / max(1, len(re.findall(r"(?:^|[.!?]\s+)\w", text)))
        ),
    },
    "digits": {
        "digits per character": lambda text: (
            sum(map(str.isdigit, text)) / max(1, len(text))
        )
    },
    "spacing": {
        "double spaces and breaks per word": lambda text: (
            len(re.findall(r"\s{2,}|[\n\t]", text)) / max(1, len(text.split()))
        ),
    },
    "symbols": {
        "characters beyond ASCII": lambda text: (
            sum(ord(letter) > 127 for letter in text) / max(1, len(text))
        ),
    },
}

#: A gap where something was taken out would give it away again, so the space before it goes too.
_REMOVE: Mapping[str, Callable[[str], str]] = {
    "punctuation": lambda text: re.sub(r"[^\w\s]|_", "", text),
    "capitals": str.casefold,
    "digits": lambda text: re.sub(r"\s?\d+", "", text),
    "spacing": lambda text: " ".join(text.split()),
    "symbols": lambda text: re.sub(r"\s?[^\x00-\x7f]+", "", text),
}


def names() -> list[tuple[str, str]]:
    """(family, measure) of every column of `measure`."""
    return [
        (family, name) for family, measures in MEASURES.items() for name in measures
    ]


def measure(texts: Sequence[str]) -> np.ndarray:
    """float64 [N, M], each column standardised over these texts and cut at five deviations."""
    return standardised(raw(texts))


def raw(texts: Sequence[str]) -> np.ndarray:
    """float64 [N, M], as measured."""
    return np.array(
        [
            [
                function(text)
                for measures in MEASURES.values()
                for function in measures.values()
            ]
            for text in texts
        ]
    )


def standardised(found: np.ndarray) -> np.ndarray:
    """Each column of [N, M] over its rows, cut at five deviations."""
    spread = found.std(axis=0)
    # A spread of rounding errors would be blown up to look like a difference.
    apart = (found - found.mean(axis=0)) / np.where(spread > 1e-9, spread, np.inf)
    return np.asarray(np.clip(apart, -5, 5))


def without(texts: Sequence[str], family: str) -> list[str]:
    """The texts with nothing left to tell of `family`.

    Length goes by cutting every text to as many words as the shortest twentieth has, and its last mark
    with it, which would tell the cut texts from the rest.
    """
    if family == "length":
        limit = max(1, int(np.percentile([len(text.split()) for text in texts], 5)))
        return [re.sub(r"\W+$", "", " ".join(text.split()[:limit])) for text in texts]
    return [_REMOVE[family](text) for text in texts]
