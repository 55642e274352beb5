"""A small closed set of rewrites that change words and their order, and never what is said."""

import re

import numpy as np

from kindling.synthesis.sentences import lowered

#: Phrases that may stand for one another.
_EITHER_WAY = (
    ("do not", "don't"),
    ("does not", "doesn't"),
    ("did not", "didn't"),
    ("is not", "isn't"),
    ("was not", "wasn't"),
    ("are not", "aren't"),
    ("cannot", "can't"),
    ("could not", "couldn't"),
    ("would not", "wouldn't"),
    ("i am", "i'm"),
    ("they are", "they're"),
    ("bought", "purchased"),
    ("as soon as", "the moment"),
    ("perhaps", "maybe"),
    ("a lot of", "lots of"),
    ("returned it", "sent it back"),
    ("returning it", "sending it back"),
    ("the same as", "just like"),
)
#: Phrases that the second may stand for, but not the other way round.
_ONE_WAY = (
    ("it is", "it's"),
    ("i've", "i have"),
    ("a bit", "a little"),
    ("because", "since"),
    ("extremely", "very"),
    ("incredibly", "very"),
    ("in order to", "to"),
)
_PHRASES = (*_EITHER_WAY, *((b, a) for a, b in _EITHER_WAY), *_ONE_WAY)
#: Words after it keep the phrase from being the end of a clause ("what it is") or part of a longer one.
_RULES = tuple(
    (
        re.compile(
            rf"(?<![\w'-]){re.escape(old)}(?= (?!of\b|been\b)\w)", re.IGNORECASE
        ),
        new,
    )
    for old, new in _PHRASES
)
#: Adverbs of the whole sentence, which may open or close it.
_FLOATING = "unfortunately|overall|honestly|sadly|luckily|thankfully|otherwise"
_OPENING = re.compile(rf"^({_FLOATING}),? ([\w'].*?)([.!]*)$", re.IGNORECASE)
_CLOSING = re.compile(rf"^([\w'].*?),? ({_FLOATING})([.!]+)$", re.IGNORECASE)
_PAIR = re.compile(
    r"\b(is|are|was|were|so|very) ([a-z]{3,}) and ([a-z]{3,})(?=[.,!;]|$)"
)


def rewrite(sentence: str, rng: np.random.Generator, rate: float = 0.5) -> str:
    """The sentence, each place where a rewrite applies rewritten with probability `rate`, once at most."""
    for pattern, new in rng.permutation(np.array(_RULES, dtype=object)):
        if pattern.search(sentence) and rng.random() < rate:
            sentence = pattern.sub(
                lambda match, new=new: (
                    new[0].upper() + new[1:] if match[0][0].isupper() else new
                ),
                sentence,
                count=1,
            )
            break  # A second rule could undo the first.
    if rng.random() < rate:
        sentence = _PAIR.sub(r"\1 \3 and \2", sentence)
    return _float(sentence) if rng.random() < rate else sentence


def _float(sentence: str) -> str:
    if match := _OPENING.match(sentence):
        return f"{match[2]} {match[1].lower()}{match[3]}"
    if match := _CLOSING.match(sentence):
        return f"{match[2]}, {lowered(match[1])}{match[3]}"
    return sentence
