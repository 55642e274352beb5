"""Why two reviews are one cluster or two, and what another threshold would say, from stored signatures."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from kindling.dedupe.minhash import band_keys, banding
from kindling.dedupe.near import jaccards
from kindling.dedupe.texts import Rules, Texts
from kindling.records import DedupeDecision


@dataclass(frozen=True)
class Alike:
    """How alike two reviews are."""

    #: Jaccard similarity of their character n-grams.
    similarity: float
    #: What their signatures estimate; None where a text is too short to have one.
    estimated: float | None
    #: Bands in which they agree, of so many; without one they are not compared.
    bands_shared: int
    bands: int


def alike(texts: Texts, one: str, other: str, rules: Rules) -> Alike:
    """The two reviews of `texts`, compared as the stage compares them."""
    nodes = [texts.nodes[texts.review_ids.index(name)] for name in (one, other)]
    left, right = (texts.folded[node] for node in nodes)
    similarity = float(jaccards([left], [right], rules.shingle)[0])
    rows = texts.rows[nodes]
    bands, places = banding(rules.permutations, rules.threshold, rules.miss)
    if (rows < 0).any():
        return Alike(similarity, None, 0, bands)
    signature = texts.signature[rows]
    keys = band_keys(signature, bands, places)
    return Alike(
        similarity,
        float((signature[0] == signature[1]).mean()),
        int(np.count_nonzero(keys[:, 0] == keys[:, 1])),
        bands,
    )


@dataclass(frozen=True)
class Rethreshold:
    """What a higher threshold would say of a night's copies."""

    threshold: float
    copies: int
    #: Copies less alike to their representative than that: each would stay.
    released: tuple[str, ...]


def rethresholded(
    decisions: Iterable[DedupeDecision], thresholds: Sequence[float]
) -> list[Rethreshold]:
    """For each threshold the copies that would be none, by the similarities on record.

    An upper bound of what would stay: of copies released together one may stand for another.
    """
    copies = [one for one in decisions if one.cluster_id != one.review_id]
    found = []
    for threshold in thresholds:
        released = [one.review_id for one in copies if one.similarity < threshold]
        found.append(
            Rethreshold(threshold, len(copies) - len(released), tuple(released))
        )
    return found
