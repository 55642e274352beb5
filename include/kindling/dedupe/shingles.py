"""Texts as sets of character n-grams, hashed in one numpy pass instead of one Python string each."""

import hashlib
import re
import unicodedata

import numpy as np

_APOSTROPHES = re.compile(r"['’`]")
_WORDS = re.compile(r"\w+")
#: Odd multiplier of the polynomial over code points (Knuth's MMIX constant), modulo 2**64.
_MULTIPLIER = 6364136223846793005


def fold(text: str) -> str:
    """The text without what retyping changes: case, punctuation, spacing, compatibility forms.

    A text without any letter or digit (emoji, "!!!") keeps its characters, so that two of them differ.
    """
    plain = unicodedata.normalize("NFKC", text).casefold()
    words = _WORDS.findall(_APOSTROPHES.sub("", plain))
    return " ".join(words) if words else "".join(plain.split())


def text_key(text: str) -> str:
    """SHA-256 of the folded text: two reviews with one key are exact duplicates."""
    return hashlib.sha256(fold(text).encode("utf-8", "surrogatepass")).hexdigest()


def shingles(folded: str, width: int) -> np.ndarray:
    """Sorted distinct 64-bit hashes, uint64 [S], of the text's character `width`-grams.

    A text shorter than `width` has one shingle, itself.
    """
    codes = np.frombuffer(
        folded.encode("utf-32-le", "surrogatepass"), dtype="<u4"
    ).astype(np.uint64)
    width = min(width, len(codes))
    if not width:
        return np.empty(0, np.uint64)
    # uint64 arithmetic wraps, which is the modulus.
    powers = np.cumprod(np.full(width, _MULTIPLIER, np.uint64))
    windows = np.lib.stride_tricks.sliding_window_view(codes, width)
    return np.unique((windows * powers).sum(axis=1, dtype=np.uint64))


def jaccard(a: np.ndarray, b: np.ndarray) -> float:
    """|a ∩ b| / |a ∪ b| of two sorted sets; 1.0 for two empty ones."""
    if not len(a) and not len(b):
        return 1.0
    shared = np.intersect1d(a, b, assume_unique=True).size
    return shared / (len(a) + len(b) - shared)
