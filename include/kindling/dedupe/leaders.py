"""Who stays, findable by keys: what a night has to look at of all nights before it."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from kindling.dedupe.leading import Leader, Leaders
from kindling.dedupe.minhash import band_keys, banding
from kindling.dedupe.texts import Rules, Texts
from kindling.ports.bands import BandRow


def leader_keys(leaders: Leaders, rules: Rules) -> tuple[np.ndarray, np.ndarray]:
    """Keys, uint64, and the place of the leader that each belongs to; two copies share one at least.

    A long text is found by its bands alone, which those of the same text share all.
    """
    return _keys(leaders.folded, leaders.scopes, leaders.signature, leaders.rows, rules)


def text_keys(texts: Texts, rules: Rules) -> np.ndarray:
    """All keys, sorted uint64, under which the reviews may find who stands for them."""
    keys, _ = _keys(texts.folded, texts.scopes, texts.signature, texts.rows, rules)
    keys.sort()
    return keys


def _keys(
    folded: Sequence[str],
    scopes: Sequence[str],
    signature: np.ndarray,
    rows: np.ndarray,
    rules: Rules,
) -> tuple[np.ndarray, np.ndarray]:
    long = np.flatnonzero(rows >= 0)
    bands, places = banding(rules.permutations, rules.threshold, rules.miss)
    banded = band_keys(signature[rows[long]], bands, places)
    short = np.flatnonzero(rows < 0)
    exact = [_text_key(folded[one], scopes[one]) for one in short.tolist()]
    return (
        np.concatenate([banded.ravel(), np.array(exact, np.uint64)]),
        np.concatenate([np.tile(long, bands), short]),
    )


@dataclass(frozen=True)
class LeaderIndex:
    """Leaders and their keys as sorted arrays; a table of (key, leader) does the same on disk."""

    rules: Rules
    leaders: Leaders
    #: uint64 [K] sorted, and the leader that each belongs to.
    keys: np.ndarray
    owners: np.ndarray

    @classmethod
    def empty(cls, rules: Rules) -> "LeaderIndex":
        """An index of nobody."""
        nobody = Leaders.of([], rules.permutations)
        return cls(rules, nobody, np.empty(0, np.uint64), np.empty(0, np.int64))

    def candidates(self, texts: Texts) -> Leaders:
        """Leaders that share a key with one of the reviews, in the order in which they came."""
        asked = text_keys(texts, self.rules)
        start = np.searchsorted(self.keys, asked, "left")
        end = np.searchsorted(self.keys, asked, "right")
        size = end - start
        # The places from each start to its end, one span after the other.
        place = np.arange(size.sum()) + np.repeat(
            start - (np.cumsum(size) - size), size
        )
        return self.leaders.some(np.unique(self.owners[place]).tolist())

    def extended(self, leaders: Leaders) -> "LeaderIndex":
        """The index with more leaders behind those that it has."""
        if not leaders:
            return self
        new, owners = leader_keys(leaders, self.rules)
        keys = np.concatenate([self.keys, new])
        owners = np.concatenate([self.owners, owners + len(self.leaders)])
        order = np.argsort(keys)
        return LeaderIndex(
            self.rules, self.leaders.joined(leaders), keys[order], owners[order]
        )


def _text_key(folded: str, scope: str) -> int:
    content = f"{scope}\x1f{folded}".encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.blake2b(content, digest_size=8).digest(), "big")


def stored(leaders: Leaders, rules: Rules) -> list[BandRow]:
    """The leaders with their keys, as a store of all nights keeps them."""
    keys, owners = leader_keys(leaders, rules)
    order = np.argsort(owners, kind="stable")
    ends = np.cumsum(np.bincount(owners, minlength=len(leaders)))
    of_leader = np.split(keys[order], ends[:-1]) if len(leaders) else []
    return [
        BandRow(
            one.review_id,
            one.folded,
            one.scope,
            one.sentiment,
            None if one.signature is None else one.signature.astype("<u2").tobytes(),
            own.tolist(),
        )
        for one, own in zip(leaders, of_leader, strict=True)
    ]


def read_back(rows: Iterable[BandRow], rules: Rules) -> Leaders:
    """Leaders from a store."""
    return Leaders.of(
        [
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
        ],
        rules.permutations,
    )
