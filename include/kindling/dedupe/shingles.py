"""Texts as sets of character n-grams, hashed for many texts in one numpy pass."""

import hashlib
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

_APOSTROPHES = re.compile(r"['’`]")
_WORDS = re.compile(r"\w+")
#: What folding does to ASCII, character by character: the fast way for most texts.
_ASCII = {
    code: None
    if chr(code) in "'`"
    else chr(code).lower()
    if _WORDS.match(chr(code))
    else " "
    for code in range(128)
}
#: Odd multiplier of the polynomial over code points (Knuth's MMIX constant), modulo 2**64.
_MULTIPLIER = np.uint64(6364136223846793005)
#: A Chinese, Japanese or Korean character says about as much as a short word: two of them
#: are a gram, as in Lucene's CJKBigramFilter, and each counts as two characters of length.
_CJK_GRAM = 2
_CJK = re.compile(
    "[\u1100-\u11ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\U00020000-\U0003ffff]"
)


#: The same for many texts at once; one stands behind each of them.
_END = "\0"
_BYTES = bytes(
    0 if code in (0, *range(128, 256)) else ord(_ASCII[code] or " ")
    for code in range(256)
)
_DROPPED = b"'`"
#: Codes hashed in one piece: small enough for the processor's cache.
_HASHED_AT_ONCE = 4_096
#: Texts folded in one piece.
_FOLDED_AT_ONCE = 512


@dataclass(frozen=True)
class Grams:
    """Hashed grams of many texts, one text after the other; repeats included."""

    #: uint64 [G].
    hashes: np.ndarray
    #: Grams of each text, and where they start.
    counts: np.ndarray
    starts: np.ndarray

    def of(self, index: int) -> np.ndarray:
        """The hashes of one text."""
        start = self.starts[index]
        return self.hashes[start : start + self.counts[index]]


def fold(text: str) -> str:
    """The text without what retyping changes: case, punctuation, spacing, compatibility forms.

    A text without any letter or digit (emoji, "!!!") keeps its characters, so that two of them differ.
    """
    if text.isascii():
        return " ".join(text.translate(_ASCII).split()) or "".join(text.split())
    plain = unicodedata.normalize("NFKC", text).casefold()
    words = _WORDS.findall(_APOSTROPHES.sub("", plain))
    return " ".join(words) if words else "".join(plain.split())


def fold_many(texts: Sequence[str]) -> list[str]:
    """`fold` of each text; ASCII texts many at a time."""
    plain = [text.isascii() and _END not in text for text in texts]
    ascii_texts = [text for text, one in zip(texts, plain, strict=True) if one]
    folded: list[str] = []
    for start in range(0, len(ascii_texts), _FOLDED_AT_ONCE):
        folded += _fold_ascii(ascii_texts[start : start + _FOLDED_AT_ONCE])
    if len(folded) == len(texts):
        return folded
    done = iter(folded)
    return [
        next(done) if one else fold(text)
        for text, one in zip(texts, plain, strict=True)
    ]


def _fold_ascii(texts: Sequence[str]) -> list[str]:
    joined = _END.join(texts).encode("ascii")
    codes = np.frombuffer(joined.translate(_BYTES, _DROPPED), np.uint8)
    found = _single_spaces(codes).tobytes().decode("ascii").split(_END)
    # A text without letters and digits keeps its characters.
    return [one or fold(text) for one, text in zip(found, texts, strict=True)]


def _single_spaces(codes: np.ndarray) -> np.ndarray:
    """The codes with one space between words, and none at either end of a text."""
    word = codes > ord(" ")
    end = codes == 0
    # Of each run of spaces the last one, where a word follows.
    kept = word | end
    kept[:-1] |= word[1:]
    codes = codes[kept]
    leading = codes == ord(" ")
    leading[1:] &= codes[:-1] == 0
    single: np.ndarray = codes[~leading]
    return single


def text_key(text: str) -> str:
    """SHA-256 of the folded text: two reviews with one key are exact duplicates."""
    return folded_key(fold(text))


def folded_key(folded: str) -> str:
    """`text_key` of a text that is folded already."""
    return hashlib.sha256(folded.encode("utf-8", "surrogatepass")).hexdigest()


def length(folded: str) -> int:
    """Characters of the text, a CJK character counted as two (its columns on a terminal)."""
    if folded.isascii():
        return len(folded)
    return len(folded) + len(_CJK.findall(folded))


def grams(folded: Sequence[str], width: int) -> Grams:
    """The texts' hashed character `width`-grams; grams that start with a CJK character have two.

    A text shorter than a gram has one, itself.
    """
    sizes = np.fromiter((len(text) for text in folded), np.int64, len(folded))
    joined = "".join(folded)
    if joined.isascii():
        return _plain_grams(
            np.frombuffer(joined.encode("ascii"), np.uint8), sizes, width
        )
    codes = np.frombuffer(joined.encode("utf-32-le", "surrogatepass"), dtype="<u4")
    if not _CJK.search(joined):
        return _plain_grams(codes, sizes, width)
    return _mixed_grams(folded, width)


def shingles(folded: str, width: int) -> np.ndarray:
    """Sorted distinct 64-bit hashes, uint64 [S], of one text's grams."""
    return np.unique(grams([folded], width).hashes)


def jaccard(a: np.ndarray, b: np.ndarray) -> float:
    """|a ∩ b| / |a ∪ b| of two sorted sets; 1.0 for two empty ones."""
    if not len(a) and not len(b):
        return 1.0
    shared = np.intersect1d(a, b, assume_unique=True).size
    return shared / (len(a) + len(b) - shared)


def _plain_grams(codes: np.ndarray, sizes: np.ndarray, width: int) -> Grams:
    """Grams of one width over all texts; a text's last one may be repeated."""
    ends = np.cumsum(sizes)
    reach = np.minimum(sizes, width)
    counts = np.where(sizes > 0, sizes - reach + 1, 0)
    starts = np.cumsum(counts) - counts
    if (sizes >= width).all() and len(codes) >= width:
        every = _hashes(codes, width, room=width - 1)
        # In place of the grams that would reach into the next text, a text's last one again.
        for back in range(1, width):
            every[ends - back] = every[ends - width]
        return Grams(every, sizes, ends - sizes)
    hashes = [
        _hashes(codes[end - size : end], int(min(size, width)))
        for size, end in zip(sizes.tolist(), ends.tolist(), strict=True)
        if size
    ]
    return Grams(np.concatenate(hashes or [np.empty(0, np.uint64)]), counts, starts)


def _mixed_grams(folded: Sequence[str], width: int) -> Grams:
    hashes = []
    for text in folded:
        codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype="<u4")
        if not len(codes):
            hashes.append(np.empty(0, np.uint64))
            continue
        cjk = np.zeros(len(codes), bool)
        cjk[[match.start() for match in _CJK.finditer(text)]] = True
        wide = _hashes(codes, min(width, len(codes)))
        narrow = _hashes(codes, min(_CJK_GRAM, len(codes)))
        both = [wide[~cjk[: len(wide)]], narrow[cjk[: len(narrow)]]]
        hashes.append(np.concatenate(both) if len(codes) > 1 else wide)
    counts = np.array([len(one) for one in hashes], np.int64)
    joined = np.concatenate(hashes or [np.empty(0, np.uint64)])
    return Grams(joined, counts, np.cumsum(counts) - counts)


def _hashes(codes: np.ndarray, width: int, room: int = 0) -> np.ndarray:
    """Polynomials over windows of `width` codes; uint64 arithmetic wraps, which is the modulus.

    Behind them is `room` for so many more.
    """
    count = len(codes) - width + 1
    total = np.empty(count + room, np.uint64)
    for start in range(0, count, _HASHED_AT_ONCE):
        end = min(count, start + _HASHED_AT_ONCE)
        wide = codes[start : end + width - 1].astype(np.uint64)
        piece = total[start:end]
        piece[:] = wide[width - 1 :]
        for place in range(width - 2, -1, -1):
            piece *= _MULTIPLIER
            piece += wide[place : place + end - start]
        piece *= _MULTIPLIER
    return total
