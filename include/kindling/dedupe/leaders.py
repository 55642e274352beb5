"""Who stays, findable by keys: what a night has to look at of all nights before it."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from kindling.dedupe.clusters import Leader, Rules, scope_of
from kindling.dedupe.minhash import band_keys, banding
from kindling.dedupe.shingles import fold
from kindling.ports.bands import BandRow
from kindling.records import Review


def leader_keys(leaders: Sequence[Leader], rules: Rules) -> list[np.ndarray]:
    """Each leader's keys, uint64: its bands' and its text's. Two copies share one at least."""
    long = [one.signature for one in leaders if one.signature is not None]
    rows = np.array(long).reshape(len(long), rules.permutations)
    bands = iter(_bands(rows, rules))
    none = np.empty(0, np.uint64)
    return [
        np.append(
            none if one.signature is None else next(bands),
            _text_key(one.folded, one.scope),
        )
        for one in leaders
    ]


def review_keys(
    reviews: Iterable[Review], rules: Rules, signed: Mapping[str, np.ndarray]
) -> np.ndarray:
    """All keys, sorted uint64, under which a review may find who stands for it.

    `signed` holds the signatures of the reviews' long texts (see `sign`).
    """
    rows = np.array(list(signed.values())).reshape(len(signed), rules.permutations)
    exact = []
    for review in reviews:
        folded = fold(review.text)
        exact.append(_text_key(folded, scope_of(folded, review.product_id, rules)))
    keys = np.concatenate([np.array(exact, np.uint64), _bands(rows, rules).ravel()])
    keys.sort()
    return keys


@dataclass(frozen=True)
class LeaderIndex:
    """Leaders and their keys as sorted arrays; a table of (key, leader) does the same on disk."""

    rules: Rules
    leaders: tuple[Leader, ...]
    #: uint64 [K] sorted, and the leader that each belongs to.
    keys: np.ndarray
    owners: np.ndarray

    @classmethod
    def empty(cls, rules: Rules) -> "LeaderIndex":
        """An index of nobody."""
        return cls(rules, (), np.empty(0, np.uint64), np.empty(0, np.int64))

    def candidates(
        self, reviews: Iterable[Review], signed: Mapping[str, np.ndarray]
    ) -> list[Leader]:
        """Leaders that share a key with one of the reviews, in the order in which they came."""
        asked = review_keys(reviews, self.rules, signed)
        start = np.searchsorted(self.keys, asked, "left")
        end = np.searchsorted(self.keys, asked, "right")
        hit = end > start
        spans = [
            self.owners[a:b]
            for a, b in zip(start[hit].tolist(), end[hit].tolist(), strict=True)
        ]
        if not spans:
            return []
        return [self.leaders[one] for one in np.unique(np.concatenate(spans)).tolist()]

    def extended(self, leaders: Sequence[Leader]) -> "LeaderIndex":
        """The index with more leaders behind those that it has."""
        if not leaders:
            return self
        new = leader_keys(leaders, self.rules)
        first = len(self.leaders)
        owners = np.repeat(
            np.arange(first, first + len(new)), [len(one) for one in new]
        )
        keys = np.concatenate([self.keys, *new])
        owners = np.concatenate([self.owners, owners])
        order = np.argsort(keys, kind="stable")
        return LeaderIndex(
            self.rules, (*self.leaders, *leaders), keys[order], owners[order]
        )


def _bands(rows: np.ndarray, rules: Rules) -> np.ndarray:
    bands = banding(rules.permutations, rules.threshold, rules.miss)
    return band_keys(rows, *bands)


def _text_key(folded: str, scope: str) -> np.uint64:
    content = f"{scope}\x1f{folded}".encode("utf-8", "surrogatepass")
    digest = hashlib.blake2b(content, digest_size=8).digest()
    return np.uint64(int.from_bytes(digest, "big"))


def stored(leaders: Sequence[Leader], rules: Rules) -> list[BandRow]:
    """The leaders with their keys, as a store of all nights keeps them."""
    return [
        BandRow(
            one.review_id,
            one.folded,
            one.scope,
            one.sentiment,
            None if one.signature is None else one.signature.astype("<u2").tobytes(),
            keys.tolist(),
        )
        for one, keys in zip(leaders, leader_keys(leaders, rules), strict=True)
    ]


def read_back(rows: Iterable[BandRow]) -> list[Leader]:
    """Leaders from a store."""
    return [
        Leader(
            row.review_id,
            row.folded,
            row.scope,
            row.sentiment,
            None
            if row.signature is None
            else np.frombuffer(row.signature, "<u2").astype(np.uint16),
        )
        for row in rows
    ]
