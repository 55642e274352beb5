"""Clusters of copies among reviews: who stands for whom, and which reviews were held apart."""

import gc
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from kindling.dedupe.minhash import MISS, signatures
from kindling.dedupe.near import NearTexts
from kindling.dedupe.shingles import fold, length
from kindling.records import Review, Sentiment, sentiment_of


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


class Member(NamedTuple):
    """A review's place: the review that stands for it, and how alike the two are."""

    review_id: str
    representative: str
    reason: str
    similarity: float

    @property
    def kept(self) -> bool:
        """Whether the review stays."""
        return self.review_id == self.representative


class Leader(NamedTuple):
    """A review that stays and stands for its copies; what later nights compare new reviews with."""

    review_id: str
    folded: str
    #: The product for a short text, nothing for a long one: texts are compared within a scope.
    scope: str
    sentiment: Sentiment
    #: uint16 [permutations] of a long text, None for a short one.
    signature: np.ndarray | None


@dataclass(frozen=True)
class Clustering:
    """Every review's place, ordered by id, with the evidence behind it."""

    members: tuple[Member, ...]
    #: (representative, representative, similarity) of alike reviews held apart by their polarity.
    apart: tuple[tuple[str, str, float], ...]
    #: Who stays of these reviews, in the order in which they were decided.
    leaders: tuple[Leader, ...] = field(compare=False)
    candidates_verified: int
    near_pairs: int
    opposite_refused: int

    @property
    def clusters(self) -> int:
        """Clusters of two reviews and more."""
        return sum(member.reason == "representative" for member in self.members)


class _Document(NamedTuple):
    """Reviews of one night with one folded text, scope and sentiment: one from the start."""

    node: int
    sentiment: Sentiment
    night: int
    #: The first of them stands for all, if any of them stays.
    review_ids: tuple[str, ...]


def cluster(
    reviews: Iterable[Review],
    rules: Rules,
    nights: Mapping[str, int] | None = None,
    leaders: Sequence[Leader] = (),
    signed: Mapping[str, np.ndarray] | None = None,
) -> Clustering:
    """Group copies around representatives; positive and negative never meet.

    Reviews are taken one after the other: by the number of the night that first saw them (one
    that `nights` does not name is new), polar before neutral, long before short, by id. One joins the nearest representative
    at the threshold or above that does not contradict it, or stays and becomes one. So every
    copy is near the review that stands for it, and those that stay are not near one another
    unless their opinions differ. Order-free, and idempotent: the kept reviews, clustered
    again, are all kept. A neutral review never stands for a polar one.

    `signed` are signatures that are known already, by folded text (see `sign`).
    `leaders` are representatives from elsewhere (a store) that come before all reviews: given
    those that share a key with a review, the result is as if all reviews were clustered.
    """
    with _collector_paused():
        return _cluster(reviews, rules, nights or {}, leaders, signed or {})


@contextmanager
def _collector_paused() -> Iterator[None]:
    """Without cyclic garbage collection: millions of small lists live on and none is garbage."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _cluster(
    reviews: Iterable[Review],
    rules: Rules,
    nights: Mapping[str, int],
    leaders: Sequence[Leader],
    signed: Mapping[str, np.ndarray],
) -> Clustering:
    by_id = {review.review_id: review for review in reviews}
    texts = _Texts(by_id, rules, leaders, signed)
    documents = _documents(by_id, texts, nights)
    texts.sign([document.node for document in documents])
    walk = _Walk(texts, rules)
    for leader in leaders:
        walk.lead(
            texts.node(leader.folded, leader.scope), leader.sentiment, leader.review_id
        )
    for document in documents:
        walk.take(document)
    return walk.clustering()


def scope_of(folded: str, product_id: str, rules: Rules) -> str:
    """Within what a text is compared: its product if it is short, everything else if not."""
    # A product without a name is a scope of its own too.
    return f"in {product_id}" if length(folded) < rules.short_text else ""


def sign(reviews: Iterable[Review], rules: Rules) -> dict[str, np.ndarray]:
    """Signature, uint16 [permutations], of every distinct long folded text."""
    folded = dict.fromkeys(fold(review.text) for review in reviews)
    long = [one for one in folded if not scope_of(one, "", rules)]
    rows = signatures(long, rules.shingle, rules.permutations)
    return dict(zip(long, rows, strict=True))


class _Texts:
    """Distinct folded texts within their scope, as numbers; long ones with signatures."""

    def __init__(
        self,
        by_id: Mapping[str, Review],
        rules: Rules,
        leaders: Sequence[Leader],
        signed: Mapping[str, np.ndarray],
    ) -> None:
        self._nodes: dict[tuple[str, str], int] = {}
        self._signed = signed
        self.node_of: dict[str, int] = {}
        #: Characters of each review as it was written.
        self.size: dict[str, int] = {}
        self._rules = rules
        self._stored: dict[int, np.ndarray] = {}
        for leader in leaders:
            node = self.node(leader.folded, leader.scope)
            if leader.signature is not None:
                self._stored[node] = leader.signature
        for review_id in sorted(by_id):
            text = by_id[review_id].text
            self.size[review_id] = len(text)
            folded = fold(text)
            scope = scope_of(folded, by_id[review_id].product_id, rules)
            self.node_of[review_id] = self.node(folded, scope)
        self.names = list(self._nodes)

    def node(self, folded: str, scope: str) -> int:
        """The number of a text within its scope."""
        return self._nodes.setdefault((folded, scope), len(self._nodes))

    def sign(self, turns: Iterable[int]) -> None:
        """Number the long texts in the order of their turns; sign those that nobody has signed."""
        order = dict.fromkeys((*self._stored, *turns))
        long = [node for node in order if not self.names[node][1]]
        self.long = {node: index for index, node in enumerate(long)}
        self.long_texts = [self.names[node][0] for node in long]
        known = len(self._stored)
        self.signature = np.empty((len(long), self._rules.permutations), np.uint16)
        if known:
            self.signature[:known] = list(self._stored.values())
        new = range(known, len(long))
        asked = [one for one in new if self.long_texts[one] not in self._signed]
        for one in set(new) - set(asked):
            self.signature[one] = self._signed[self.long_texts[one]]
        self.signature[asked] = signatures(
            [self.long_texts[one] for one in asked],
            self._rules.shingle,
            self._rules.permutations,
        )


def _documents(
    by_id: Mapping[str, Review], texts: _Texts, nights: Mapping[str, int]
) -> list[_Document]:
    """Documents in the order in which they are taken."""
    tonight = max(nights.values(), default=0) + 1
    grouped: dict[tuple[int, Sentiment, int], list[tuple[int, str]]] = defaultdict(list)
    for review_id, review in by_id.items():
        night = nights.get(review_id, tonight)
        key = texts.node_of[review_id], sentiment_of(review.rating), night
        grouped[key].append((-texts.size[review_id], review_id))
    turns = []
    for (node, sentiment, night), ids in grouped.items():
        ids.sort()
        document = _Document(node, sentiment, night, tuple(one for _, one in ids))
        turns.append((night, sentiment == "neutral", *ids[0], document))
    return [document for *_, document in sorted(turns)]


class _Walk:
    """Documents taken one after the other, and what was decided so far."""

    def __init__(self, texts: _Texts, rules: Rules) -> None:
        self._texts = texts
        self._near = NearTexts(
            texts.long_texts,
            texts.signature,
            rules.shingle,
            rules.threshold,
            rules.miss,
        )
        self._long = list(texts.long)
        #: Node -> (sentiment, review) of those that stay, in the order of their turns.
        self._leading: dict[int, list[tuple[Sentiment, str]]] = defaultdict(list)
        self._turn: dict[str, int] = {}
        self._places: dict[str, list[Member]] = defaultdict(list)
        self._node_of_leader: dict[str, int] = {}
        self._apart: dict[tuple[str, str], float] = {}
        self._new: list[Leader] = []
        self._pairs = self._refused = 0

    def lead(self, node: int, sentiment: Sentiment, review_id: str) -> None:
        """Let a review stand for others from now on."""
        if node in self._texts.long and node not in self._leading:
            self._near.add(self._texts.long[node])
        self._leading[node].append((sentiment, review_id))
        self._turn[review_id] = len(self._turn)
        self._node_of_leader[review_id] = node

    def take(self, document: _Document) -> None:
        """Give the document its place."""
        first, *others = document.review_ids
        near = self._alike(document.node)
        allowed = (document.sentiment, *_joins(document)) if near else ()
        fitting = [one for one in near if one[1] in allowed]
        self._pairs += len(near)
        self._refused += bool(near) and not fitting
        if fitting:
            similarity, _, leader = min(
                fitting, key=lambda one: (-one[0], self._turn[one[2]])
            )
            self._follow(leader, document.review_ids, document.node, similarity)
            return
        for similarity, _, leader in near:
            a, b = sorted((first, leader))
            self._apart[a, b] = similarity
        self.lead(document.node, document.sentiment, first)
        if others:
            self._follow(first, others, document.node, 1.0)
        self._new.append(self._leader(document))

    def clustering(self) -> Clustering:
        """All places, once every document was taken."""
        members = [one for places in self._places.values() for one in places]
        for leader in self._new:
            one = leader.review_id
            reason = "representative" if self._places.get(one) else "unique"
            members.append(Member(one, one, reason, 1.0))
        return Clustering(
            members=tuple(sorted(members, key=lambda member: member.review_id)),
            apart=tuple((a, b, one) for (a, b), one in sorted(self._apart.items())),
            leaders=tuple(self._new),
            candidates_verified=self._near.verified,
            near_pairs=self._pairs,
            opposite_refused=self._refused,
        )

    def _follow(
        self, leader: str, followers: Iterable[str], node: int, similarity: float
    ) -> None:
        exact = self._node_of_leader[leader] == node
        reason = "exact_duplicate" if exact else "near_duplicate"
        self._places[leader] += [
            Member(one, leader, reason, similarity) for one in followers
        ]

    def _alike(self, node: int) -> list[tuple[float, Sentiment, str]]:
        """(similarity, sentiment, review) of everybody who stands for others and is near."""
        nodes = [(node, 1.0)] if node in self._leading else []
        number = self._texts.long.get(node)
        if number is not None:
            near = self._near.near(number)
            nodes += [(self._long[other], similarity) for other, similarity in near]
        return [
            (similarity, sentiment, review_id)
            for other, similarity in nodes
            for sentiment, review_id in self._leading[other]
        ]

    def _leader(self, document: _Document) -> Leader:
        folded, scope = self._texts.names[document.node]
        number = self._texts.long.get(document.node)
        row = None if number is None else self._texts.signature[number]
        return Leader(document.review_ids[0], folded, scope, document.sentiment, row)


def _joins(document: _Document) -> tuple[Sentiment, ...]:
    """Other sentiments that may stand for the document: all for a neutral one, else none."""
    return ("negative", "positive") if document.sentiment == "neutral" else ()
