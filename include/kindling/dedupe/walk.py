"""Reviews taken one after the other: each joins the nearest that stands for others, or stays."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from kindling.dedupe.leading import Leaders
from kindling.dedupe.near import NearTexts
from kindling.dedupe.texts import Rules, Texts
from kindling.records import SENTIMENTS

_NEUTRAL = SENTIMENTS.index("neutral")


@dataclass(frozen=True)
class Documents:
    """Reviews of one night with one text and one sentiment, in the order of their turns."""

    #: Number of each document's text, int64.
    nodes: np.ndarray
    #: Place in SENTIMENTS.
    sentiments: np.ndarray
    #: The review that stands for all of them, if any stays: the longest, then the lowest id.
    first: np.ndarray
    #: The document of each review.
    of_review: np.ndarray


def documents(texts: Texts, nights: Mapping[str, int]) -> Documents:
    """Earlier nights first, then polar before neutral, long before short, by id."""
    tonight = max(nights.values(), default=0) + 1
    count = len(texts.review_ids)
    night = np.full(count, tonight)
    if nights:
        night = np.fromiter(
            (nights.get(one, tonight) for one in texts.review_ids), np.int64, count
        )
    neutral = texts.sentiments == _NEUTRAL
    order = np.lexsort((-texts.sizes, neutral, night))  # Stable: then by id.
    _, night = np.unique(night, return_inverse=True)
    own = texts.nodes * len(SENTIMENTS) + texts.sentiments
    own = (own * (int(night.max(initial=0)) + 1) + night)[order]
    _, first, document = np.unique(own, return_index=True, return_inverse=True)
    turn = np.empty(len(first), np.int64)
    turn[np.argsort(first)] = np.arange(len(first))
    of_review = np.empty(count, np.int64)
    of_review[order] = turn[document]
    heads = order[np.sort(first)]
    return Documents(texts.nodes[heads], texts.sentiments[heads], heads, of_review)


@dataclass(frozen=True)
class Walk:
    """What was decided. Those that stand for others have a number: earlier leaders, then documents."""

    #: Who stands for each document, int64; itself where it stays.
    leading: np.ndarray
    #: Similarity of each document to it.
    similarity: np.ndarray
    #: The number of each earlier leader's text.
    nodes_before: np.ndarray
    #: (number, number, similarity) of alike ones that their polarity holds apart.
    apart: list[tuple[int, int, float]]
    verified: int
    pairs: int
    refused: int


def walked(texts: Texts, turns: Documents, before: Leaders, rules: Rules) -> Walk:
    """Every document's place. One that shares no text and no bucket with another simply stays."""
    nodes_before, names = _nodes_before(texts, before)
    count = len(names) + len(texts.folded)
    order, near = _near(texts, turns, before, nodes_before, rules)
    number = np.full(count, -1, np.int64)
    number[order] = np.arange(len(order))
    crowd = np.bincount(turns.nodes, minlength=count)
    crowd += np.bincount(nodes_before, minlength=count)
    social = crowd > 1
    social[order[near.meeting]] = True
    walk = _Walking(near, number.tolist(), order.tolist(), len(before))
    for leader, node in enumerate(nodes_before.tolist()):
        walk.lead(node, SENTIMENTS.index(before.sentiments[leader]), leader)
    first = len(before)
    leading = np.arange(len(turns.nodes)) + first
    similarity = np.ones(len(turns.nodes))
    met = np.flatnonzero(social[turns.nodes])
    for document, node, sentiment in zip(
        met.tolist(),
        turns.nodes[met].tolist(),
        turns.sentiments[met].tolist(),
        strict=True,
    ):
        found = walk.take(node, sentiment, document + first)
        if found is not None:
            leading[document], similarity[document] = found
    return Walk(
        leading,
        similarity,
        nodes_before,
        walk.apart,
        near.verified,
        walk.pairs,
        walk.refused,
    )


def _nodes_before(
    texts: Texts, before: Leaders
) -> tuple[np.ndarray, dict[object, int]]:
    """Each earlier leader's text by number; texts that no review has are numbered behind the others."""
    new: dict[object, int] = {}
    known = texts.numbers
    first = len(texts.folded)
    found = []
    for folded, scope in zip(before.folded, before.scopes, strict=True):
        key = (folded, scope) if scope else folded
        number = known.get(key)
        if number is None:
            number = new.setdefault(key, first + len(new))
        found.append(number)
    return np.array(found, np.int64), new


def _near(
    texts: Texts,
    turns: Documents,
    before: Leaders,
    nodes_before: np.ndarray,
    rules: Rules,
) -> tuple[np.ndarray, NearTexts]:
    """Long texts in the order of their turns, and who of them is near whom."""
    signed = np.flatnonzero(before.rows >= 0)
    own = turns.nodes[texts.rows[turns.nodes] >= 0]
    order = np.concatenate([nodes_before[signed], own])
    _, first = np.unique(order, return_index=True)
    first.sort()
    stored = first < len(signed)
    order = order[first]
    signature = np.concatenate(
        [
            before.signature[before.rows[signed[first[stored]]]],
            texts.signature[texts.rows[order[~stored]]],
        ]
    )
    elsewhere = {int(nodes_before[one]): before.folded[one] for one in signed.tolist()}
    own_count = len(texts.folded)
    folded = [
        texts.folded[one] if one < own_count else elsewhere[one]
        for one in order.tolist()
    ]
    near = NearTexts(folded, signature, rules.shingle, rules.threshold, rules.miss)
    return order, near


class _Walking:
    """Documents taken one after the other, and what was decided so far."""

    def __init__(
        self, near: NearTexts, number: list[int], order: list[int], before: int
    ) -> None:
        self._near = near
        #: Text -> its number among the long ones, -1 for a short one; and back.
        self._number, self._order = number, order
        self._before = before
        #: Text -> (sentiment, number) of those that stay, in the order of their turns.
        self._leading: dict[int, list[tuple[int, int]]] = defaultdict(list)
        self.apart: list[tuple[int, int, float]] = []
        self.pairs = self.refused = 0

    def lead(self, node: int, sentiment: int, leader: int) -> None:
        """Let it stand for others from now on."""
        if self._number[node] >= 0 and node not in self._leading:
            self._near.add(self._number[node])
        self._leading[node].append((sentiment, leader))

    def take(
        self, node: int, sentiment: int, document: int
    ) -> tuple[int, float] | None:
        """Who stands for the document and how alike they are; None if it stays."""
        near = self._alike(node)
        if near:
            fitting = [
                one
                for one in near
                # A neutral one may stand for no polar one.
                if sentiment in (one[1], _NEUTRAL)
            ]
            self.pairs += len(near)
            if fitting:
                nearest = fitting[0]
                if len(fitting) > 1:
                    nearest = min(fitting, key=lambda one: (-one[0], one[2]))
                return nearest[2], nearest[0]
            self.refused += 1
            self.apart += [(document, leader, alike) for alike, _, leader in near]
        self.lead(node, sentiment, document)
        return None

    def _alike(self, node: int) -> list[tuple[float, int, int]]:
        """(similarity, sentiment, number) of everybody who stands for others and is near."""
        leading = self._leading
        found = [(1.0, kind, one) for kind, one in leading.get(node, ())]
        number = self._number[node]
        if number >= 0:
            for other, similarity in self._near.near(number):
                found += [
                    (similarity, kind, one) for kind, one in leading[self._order[other]]
                ]
        return found
