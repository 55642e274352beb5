"""A night's texts as columns: folded, numbered, signed; a million of them fit in a small machine."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from operator import lt
from typing import NamedTuple

import numpy as np

from kindling.dedupe.minhash import MISS, signatures
from kindling.dedupe.shingles import fold_many, length
from kindling.records import SENTIMENTS, Review, sentiment_of

#: Stars -> place in SENTIMENTS, for every rating that there may be.
_SENTIMENT = np.array([SENTIMENTS.index(sentiment_of(stars)) for stars in range(6)])


#: Reviews that are read in one piece.
_READ_AT_ONCE = 4_096


@dataclass(frozen=True)
class Rules:
    """What counts as a copy. Widths and lengths are characters of the folded text."""

    shingle: int = 5
    permutations: int = 128
    threshold: float = 0.8
    #: Shorter texts ("Love it!") are copies only word for word, and only within one product.
    short_text: int = 40
    #: Probability at most with which a pair right at the threshold is missed.
    miss: float = MISS


class Written(NamedTuple):
    """What of a review decides whose copy it is."""

    review_id: str
    product_id: str
    rating: int
    text: str


#: A text within its scope: a long one is compared with all others, a short one in its product.
TextKey = str | tuple[str, str]


@dataclass(frozen=True)
class Texts:
    """Reviews ordered by id, and their distinct folded texts within their scope, by number."""

    review_ids: list[str]
    #: Characters of each review as it was written, int64.
    sizes: np.ndarray
    #: Place in SENTIMENTS of each review's, int64.
    sentiments: np.ndarray
    #: The number of each review's text, int64.
    nodes: np.ndarray
    folded: list[str]
    #: The product of a short text, nothing for a long one.
    scopes: list[str]
    #: Row of each text's signature, int64; -1 for a short text.
    rows: np.ndarray
    #: uint16 [long texts, permutations].
    signature: np.ndarray
    numbers: Mapping[TextKey, int] = field(repr=False)


def read_texts(
    reviews: Iterable[Review | Written],
    rules: Rules,
    signed: Mapping[str, np.ndarray] | None = None,
) -> Texts:
    """The reviews' texts, signed; of two reviews with one id the last counts.

    The reviews are read in pieces: what is kept of them is the folded text.
    `signed` are signatures that are known already, by folded text.
    """
    ids: list[str] = []
    sizes: list[int] = []
    ratings: list[int] = []
    nodes: list[int] = []
    numbers: dict[TextKey, int] = {}
    for some in _pieces(reviews):
        texts = [one.text for one in some]
        for folded, one in zip(fold_many(texts), some, strict=True):
            key = key_of(folded, one.product_id, rules)
            nodes.append(numbers.setdefault(key, len(numbers)))
        ids += [one.review_id for one in some]
        sizes += map(len, texts)
        ratings += [one.rating for one in some]
    order = _by_id(ids)
    columns = _Columns(
        ids if order is None else [ids[one] for one in order],
        np.array(sizes, np.int64),
        np.array(ratings, np.int64),
        np.array(nodes, np.int64),
    )
    if order is not None:
        columns = columns._replace(
            sizes=columns.sizes[order],
            ratings=columns.ratings[order],
            nodes=columns.nodes[order],
        )
    return _signed(columns, numbers, rules, signed or {})


def _pieces(
    reviews: Iterable[Review | Written],
) -> Iterator[Sequence[Review | Written]]:
    left = iter(reviews)
    while some := list(islice(left, _READ_AT_ONCE)):
        yield some


def _by_id(ids: Sequence[str]) -> list[int] | None:
    """Places in the order of the ids, each id once; None where they are in order already."""
    if all(map(lt, ids, islice(ids, 1, None))):
        return None
    last = {one: at for at, one in enumerate(ids)}
    return [last[one] for one in sorted(last)]


class _Columns(NamedTuple):
    review_ids: list[str]
    sizes: np.ndarray
    ratings: np.ndarray
    nodes: np.ndarray


def _signed(
    columns: _Columns,
    numbers: dict[TextKey, int],
    rules: Rules,
    signed: Mapping[str, np.ndarray],
) -> Texts:
    long = np.fromiter((type(key) is str for key in numbers), bool, len(numbers))
    rows = np.where(long, np.cumsum(long) - 1, -1)
    return Texts(
        review_ids=columns.review_ids,
        sizes=columns.sizes,
        sentiments=_SENTIMENT[np.clip(columns.ratings, 0, 5)],
        nodes=columns.nodes,
        folded=[key if isinstance(key, str) else key[0] for key in numbers],
        scopes=["" if isinstance(key, str) else key[1] for key in numbers],
        rows=rows,
        signature=_rows(
            [one for one in numbers if isinstance(one, str)], rules, signed
        ),
        numbers=numbers,
    )


def _rows(
    long: Sequence[str], rules: Rules, signed: Mapping[str, np.ndarray]
) -> np.ndarray:
    if not signed:
        return signatures(long, rules.shingle, rules.permutations)
    found = np.empty((len(long), rules.permutations), np.uint16)
    new = []
    for at, text in enumerate(long):
        if text in signed:
            found[at] = signed[text]
        else:
            new.append(at)
    asked = [long[at] for at in new]
    found[new] = signatures(asked, rules.shingle, rules.permutations)
    return found


def key_of(folded: str, product_id: str, rules: Rules) -> TextKey:
    """The text within its scope: its product if it is short, everything else if not."""
    plain = len(folded) >= rules.short_text or length(folded) >= rules.short_text
    # A product without a name is a scope of its own too.
    return folded if plain else (folded, f"in {product_id}")
