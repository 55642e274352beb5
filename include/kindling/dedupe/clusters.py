"""Clusters of copies among reviews: who stands for whom, and which reviews were held apart."""

import gc
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from kindling.dedupe.leading import Leader, Leaders
from kindling.dedupe.texts import Rules, Texts, Written, read_texts
from kindling.dedupe.walk import Documents, Walk, documents, walked
from kindling.records import SENTIMENTS, Review


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


@dataclass(frozen=True)
class Clustering:
    """Every review's place, ordered by id, with the evidence behind it."""

    members: tuple[Member, ...]
    #: (representative, representative, similarity) of alike reviews held apart by their polarity.
    apart: tuple[tuple[str, str, float], ...]
    #: Who stays of these reviews, in the order in which they were decided.
    leaders: Leaders = field(compare=False)
    candidates_verified: int
    near_pairs: int
    opposite_refused: int

    @property
    def clusters(self) -> int:
        """Clusters of two reviews and more."""
        return sum(member.reason == "representative" for member in self.members)


def cluster(
    reviews: Iterable[Review | Written],
    rules: Rules,
    nights: Mapping[str, int] | None = None,
    leaders: Iterable[Leader] = (),
    signed: Mapping[str, np.ndarray] | None = None,
) -> Clustering:
    """Group copies around representatives; positive and negative never meet.

    Reviews are taken one after the other: by the number of the night that first saw them (one
    that `nights` does not name is new), polar before neutral, long before short, by id. One
    joins the nearest representative at the threshold or above that does not contradict it, or
    stays and becomes one. So every
    copy is near the review that stands for it, and those that stay are not near one another
    unless their opinions differ. Order-free, and idempotent: the kept reviews, clustered
    again, are all kept. A neutral review never stands for a polar one.

    `signed` are signatures that are known already, by folded text (see `sign`).
    `leaders` are representatives from elsewhere (a store) that come before all reviews: given
    those that share a key with a review, the result is as if all reviews were clustered.
    """
    with _collector_paused():
        return cluster_texts(read_texts(reviews, rules, signed), rules, nights, leaders)


def cluster_texts(
    texts: Texts,
    rules: Rules,
    nights: Mapping[str, int] | None = None,
    leaders: Iterable[Leader] = (),
) -> Clustering:
    """`cluster` of reviews whose texts were read before."""
    with _collector_paused():
        before = Leaders.of(leaders, rules.permutations)
        turns = documents(texts, nights or {})
        walk = walked(texts, turns, before, rules)
        own = np.flatnonzero(walk.leading == np.arange(len(turns.nodes)) + len(before))
        return Clustering(
            members=_members(texts, turns, before, walk),
            apart=_apart(texts, turns, before, walk),
            leaders=_leaders(texts, turns, own),
            candidates_verified=walk.verified,
            near_pairs=walk.pairs,
            opposite_refused=walk.refused,
        )


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


def _members(
    texts: Texts, turns: Documents, before: Leaders, walk: Walk
) -> tuple[Member, ...]:
    """The places of all reviews, ordered by id."""
    names = texts.review_ids
    first = len(before)
    leader = walk.leading[turns.of_review]
    itself = leader == turns.of_review + first
    alone = itself & (turns.first[turns.of_review] == np.arange(len(names)))
    own = leader >= first
    # Whose followers there are; leaders from elsewhere are no members.
    followed = np.zeros(len(turns.nodes), bool)
    followed[leader[own & ~alone] - first] = True
    node = np.empty(len(names), np.int64)
    node[own] = turns.nodes[leader[own] - first]
    node[~own] = walk.nodes_before[leader[~own]]
    exact = itself | (node == texts.nodes)
    similarity = np.where(itself, 1.0, walk.similarity[turns.of_review])
    reason = np.where(exact, 2, 3)
    reason[alone] = followed[turns.of_review[alone]]
    heads = [names[one] for one in turns.first.tolist()]
    standing = [*before.review_ids, *heads]
    return tuple(
        map(
            Member,
            names,
            [standing[one] for one in leader.tolist()],
            [_REASONS[one] for one in reason.tolist()],
            similarity.tolist(),
        )
    )


_REASONS = ("unique", "representative", "exact_duplicate", "near_duplicate")


def _apart(
    texts: Texts, turns: Documents, before: Leaders, walk: Walk
) -> tuple[tuple[str, str, float], ...]:
    heads: list[str] = [texts.review_ids[one] for one in turns.first.tolist()]

    def name(number: int) -> str:
        if number < len(before):
            return before.review_ids[number]
        return heads[number - len(before)]

    pairs = {}
    for one, other, similarity in walk.apart:
        a, b = sorted((name(one), name(other)))
        pairs[a, b] = similarity
    return tuple((a, b, one) for (a, b), one in sorted(pairs.items()))


def _leaders(texts: Texts, turns: Documents, own: np.ndarray) -> Leaders:
    nodes = turns.nodes[own].tolist()
    return Leaders(
        [texts.review_ids[one] for one in turns.first[own].tolist()],
        [texts.folded[one] for one in nodes],
        [texts.scopes[one] for one in nodes],
        [SENTIMENTS[one] for one in turns.sentiments[own].tolist()],
        texts.rows[nodes] if nodes else np.empty(0, np.int64),
        texts.signature,
    )
