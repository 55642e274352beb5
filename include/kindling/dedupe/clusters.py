"""Clusters of copies among reviews: who stands for whom, and which edges were refused."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from scipy.cluster.hierarchy import DisjointSet

from kindling.dedupe.candidates import near_pairs
from kindling.dedupe.shingles import fold, jaccard, shingles, text_key
from kindling.records import Review, Sentiment, sentiment_of


@dataclass(frozen=True)
class Rules:
    """What counts as a copy. Widths and lengths are characters of the folded text."""

    shingle: int = 5
    permutations: int = 128
    threshold: float = 0.8
    #: Shorter texts ("Love it!") are copies only word for word, and only within one product.
    short_text: int = 40


@dataclass(frozen=True)
class Member:
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
    #: (representative, representative, similarity) of alike clusters held apart by their polarity.
    apart: tuple[tuple[str, str, float], ...]
    candidates_verified: int
    near_pairs: int
    opposite_refused: int

    @property
    def clusters(self) -> int:
        """Clusters of two reviews and more."""
        return sum(member.reason == "representative" for member in self.members)


@dataclass(frozen=True)
class _Document:
    """Reviews with one folded text, one scope and one sentiment: they are one before any edge is drawn."""

    key: str
    #: The product for a short text, nothing for a long one: texts are compared within a scope.
    scope: str
    sentiment: Sentiment
    review_ids: tuple[str, ...]


def cluster(reviews: Iterable[Review], rules: Rules) -> Clustering:
    """Group copies by single linkage, strongest edges first; positive and negative never meet.

    Order-free, and idempotent: the kept reviews, clustered again, are all kept.
    """
    by_id = {review.review_id: review for review in reviews}
    folded = {review_id: fold(review.text) for review_id, review in by_id.items()}
    documents = _documents(by_id, folded, rules.short_text)
    edges, verified, pairs = _edges(documents, folded, rules)
    linked = DisjointSet(range(len(documents)))
    polarity = {
        index: {document.sentiment} - {"neutral"}
        for index, document in enumerate(documents)
    }
    refused = 0
    for _, a, b in edges:
        if linked.connected(a, b):
            continue
        both = polarity[linked[a]] | polarity[linked[b]]
        if len(both) > 1:
            refused += 1
        else:
            linked.merge(a, b)
            polarity[linked[a]] = both
    members: list[Member] = []
    for subset in linked.subsets():
        members += _places(
            [documents[index] for index in subset], by_id, folded, rules.shingle
        )
    stands_for = {member.review_id: member.representative for member in members}
    apart = {
        tuple(
            sorted(stands_for[documents[index].review_ids[0]] for index in (a, b))
        ): -negative
        for negative, a, b in reversed(edges)
        if not linked.connected(a, b)
    }
    return Clustering(
        members=tuple(sorted(members, key=lambda member: member.review_id)),
        apart=tuple((a, b, similarity) for (a, b), similarity in sorted(apart.items())),
        candidates_verified=verified,
        near_pairs=pairs,
        opposite_refused=refused,
    )


def _documents(
    by_id: Mapping[str, Review], folded: Mapping[str, str], short_text: int
) -> list[_Document]:
    grouped: dict[tuple[str, str, Sentiment], list[str]] = defaultdict(list)
    for review_id, review in by_id.items():
        scope = review.product_id if len(folded[review_id]) < short_text else ""
        grouped[text_key(review.text), scope, sentiment_of(review.rating)].append(
            review_id
        )
    return [_Document(*key, tuple(sorted(ids))) for key, ids in sorted(grouped.items())]


def _edges(
    documents: Sequence[_Document], folded: Mapping[str, str], rules: Rules
) -> tuple[list[tuple[float, int, int]], int, int]:
    """(minus similarity, document, document), strongest first, ties by document."""
    same_text: dict[tuple[str, str], list[int]] = defaultdict(list)
    for index, document in enumerate(documents):
        same_text[document.key, document.scope].append(index)
    edges = [
        (-1.0, a, b) for group in same_text.values() for a, b in combinations(group, 2)
    ]
    long_texts = [group for (_, scope), group in same_text.items() if not scope]
    near = near_pairs(
        [folded[documents[group[0]].review_ids[0]] for group in long_texts],
        rules.shingle,
        rules.permutations,
        rules.threshold,
    )
    edges += [
        (-similarity, *sorted((a, b)))
        for i, j, similarity in near.pairs
        for a in long_texts[i]
        for b in long_texts[j]
    ]
    return sorted(edges), near.verified, len(near.pairs)


def _places(
    documents: Sequence[_Document],
    by_id: Mapping[str, Review],
    folded: Mapping[str, str],
    width: int,
) -> list[Member]:
    """One cluster's members. A neutral review never stands for a polar one.

    Otherwise the kept neutral would meet the refused opposite pole in the next run, and be merged there.
    """
    polar = [document for document in documents if document.sentiment != "neutral"]
    eligible = [
        review_id
        for document in polar or documents
        for review_id in document.review_ids
    ]
    representative = min(
        eligible, key=lambda review_id: (-len(by_id[review_id].text), review_id)
    )
    ids = [review_id for document in documents for review_id in document.review_ids]
    if len(ids) == 1:
        return [Member(representative, representative, "unique", 1.0)]
    reference = shingles(folded[representative], width)
    places = []
    for document in documents:
        text = folded[document.review_ids[0]]
        exact = text == folded[representative]
        similarity = 1.0 if exact else jaccard(shingles(text, width), reference)
        reason = "exact_duplicate" if exact else "near_duplicate"
        places += [
            Member(one, representative, reason, similarity)
            for one in document.review_ids
            if one != representative
        ]
    return [Member(representative, representative, "representative", 1.0), *places]
