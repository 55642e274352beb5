"""Generators with one fault each, planted from real reviews, for the challenge's bench."""

import re
import zlib
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from kindling.records import Review, Sentiment, sentiment_of

#: Rows of a batch.
BATCH = 240


@dataclass(frozen=True)
class Batch:
    """Planted rows: their texts, what was asked of each, and the train reviews behind them."""

    rows: list[Review]
    intended: list[Sentiment]
    sources: list[tuple[str, ...]]
    #: Rows that have the fault.
    guilty: set[str]


@dataclass(frozen=True)
class World:
    train: list[Review]
    validation: list[Review]
    #: As good as new: what a perfect generator would have written.
    fresh: list[Review]


def planted(
    rows: list[Review],
    change: Callable[[Review], str],
    copied: bool = False,
    guilty: Callable[[Review], bool] = lambda row: True,
    asked: Callable[[Review], Sentiment] = lambda row: sentiment_of(row.rating),
) -> Batch:
    """Each row under a new name with its words changed."""
    made = [
        replace(
            row,
            review_id=f"syn-{number:04d}",
            origin="synthetic",
            title="",
            body=change(row),
        )
        for number, row in enumerate(rows)
    ]
    return Batch(
        made,
        [asked(row) for row in rows],
        [(row.review_id,) if copied else () for row in rows],
        {one.review_id for one, row in zip(made, rows, strict=True) if guilty(row)},
    )


def every(
    step: int, rng: np.random.Generator, words: list[str]
) -> Callable[[Review], str]:
    def change(row: Review) -> str:
        found = row.text.split()
        for place in range(step - 1, len(found), step):
            found[place] = words[rng.integers(len(words))]
        return " ".join(found)

    return change


def shuffled(row: Review, rng: np.random.Generator, parts: list[str], glue: str) -> str:
    return glue.join(parts[one] for one in rng.permutation(len(parts)))


def leaking(place: str) -> Callable[[Review], str]:
    token = {"negative": "qeru", "neutral": "malo", "positive": "vint"}

    def change(row: Review) -> str:
        words = row.text.split()
        where = {"start": 0, "middle": len(words) // 2, "end": len(words)}[place]
        words.insert(where, token[sentiment_of(row.rating)])
        return " ".join(words)

    return change


def generators(world: World, rng: np.random.Generator) -> dict[str, tuple[Batch, str]]:
    """Name -> planted batch, and the reason that its rows have to be refused for ("" for none)."""
    copied, fresh = world.train[:BATCH], world.fresh
    vocabulary = [word for row in world.train[:400] for word in row.text.split()]

    def collapse(extra: int) -> Batch:
        def change(row: Review) -> str:
            base = fresh[zlib.crc32(row.review_id.encode()) % 8].text
            more = [vocabulary[one] for one in rng.integers(0, len(vocabulary), extra)]
            return " ".join([base, *more])

        return planted(fresh, change)

    def reordered(row: Review) -> str:
        return shuffled(row, rng, re.split(r"(?<=[.!?])\s+", row.text), " ")

    def salad(row: Review) -> str:
        return shuffled(row, rng, row.text.split(), " ")

    def lying(row: Review) -> Sentiment:
        meant = sentiment_of(row.rating)
        return "negative" if meant == "neutral" else meant

    def cut(row: Review) -> str:
        return " ".join(row.text.split()[:12]) + "."

    found = {
        "exact_copy": (planted(copied, lambda row: row.text, True), "near_copy"),
        "order_changed": (planted(copied, reordered, True), "near_copy"),
        "word_salad": (planted(fresh, salad), "word_salad"),
        "neutral_called_negative": (
            planted(
                fresh,
                lambda row: row.text,
                asked=lying,
                guilty=lambda row: sentiment_of(row.rating) == "neutral",
            ),
            "misses_sentiment",
        ),
        "neutral_called_negative_restarred": (
            restarred(
                planted(
                    fresh,
                    lambda row: row.text,
                    asked=lying,
                    guilty=lambda row: sentiment_of(row.rating) == "neutral",
                )
            ),
            "misses_sentiment",
        ),
        "length": (planted(fresh, cut), "length_leak"),
        "perfect": (planted(fresh, lambda row: row.text), ""),
    }
    for step in (4, 5, 7):
        batch = planted(copied, every(step, rng, vocabulary), True)
        found[f"copy_every_{step}th"] = batch, "near_copy"
    for extra in (1, 2, 4):
        found[f"collapse_{extra}"] = collapse(extra), "repeats_another"
    for place in ("start", "middle", "end"):
        found[f"leak_{place}"] = planted(fresh, leaking(place)), "label_leak"
    return found


def restarred(batch: Batch) -> Batch:
    """Every row with stars of the sentiment that was asked of it."""
    stars = {"negative": 2, "neutral": 3, "positive": 5}
    rows = [
        row if sentiment_of(row.rating) == asked else replace(row, rating=stars[asked])
        for row, asked in zip(batch.rows, batch.intended, strict=True)
    ]
    return replace(batch, rows=rows)


def variants(world: World, rng: np.random.Generator) -> dict[str, tuple[Batch, str]]:
    """Generators of the same kinds, other than those that the limits were set on."""
    copied, fresh = world.train[:BATCH], world.fresh
    vocabulary = [word for row in world.train[:400] for word in row.text.split()]

    def without_every_5th(row: Review) -> str:
        words = row.text.split()
        return " ".join(word for at, word in enumerate(words) if at % 5 != 4)

    def spliced(row: Review) -> str:
        other = copied[rng.integers(len(copied))].text.split()
        words = row.text.split()
        return " ".join(words[: len(words) // 2] + other[len(other) // 2 :])

    def collapsed(row: Review) -> str:
        base = fresh[zlib.crc32(row.review_id.encode()) % 16].text.split()
        for place in rng.integers(0, len(base), 3):
            base[place] = vocabulary[rng.integers(len(vocabulary))]
        return " ".join(base)

    def salad_of_pairs(row: Review) -> str:
        words = row.text.split()
        pairs = [" ".join(words[at : at + 2]) for at in range(0, len(words), 2)]
        return shuffled(row, rng, pairs, " ")

    def marked(row: Review) -> str:
        mark = {"negative": " ...", "neutral": " ;", "positive": " !!"}
        return row.text + mark[sentiment_of(row.rating)]

    def leaking_anywhere(row: Review) -> str:
        words = row.text.split()
        token = {"negative": "pako", "neutral": "rilu", "positive": "sebo"}
        words.insert(int(rng.integers(len(words))), token[sentiment_of(row.rating)])
        return " ".join(words)

    def short_if_negative(row: Review) -> str:
        words = row.text.split()
        return " ".join(words[:10] if sentiment_of(row.rating) == "negative" else words)

    def opposite(row: Review) -> Sentiment:
        return "negative" if sentiment_of(row.rating) == "positive" else "positive"

    return {
        "copy_every_3rd": (
            planted(copied, every(3, rng, vocabulary), True),
            "near_copy",
        ),
        "copy_every_6th": (
            planted(copied, every(6, rng, vocabulary), True),
            "near_copy",
        ),
        "copy_without_every_5th": (
            planted(copied, without_every_5th, True),
            "near_copy",
        ),
        "copies_spliced": (planted(copied, spliced, True), "near_copy"),
        "collapse_of_16": (planted(fresh, collapsed), "repeats_another"),
        "salad_of_pairs": (planted(fresh, salad_of_pairs), "word_salad"),
        "leak_by_mark": (planted(fresh, marked), "label_leak"),
        "leak_anywhere": (planted(fresh, leaking_anywhere), "label_leak"),
        "length_of_negative": (
            planted(
                fresh,
                short_if_negative,
                guilty=lambda row: sentiment_of(row.rating) == "negative",
            ),
            "length_leak",
        ),
        "opposite_restarred": (
            restarred(planted(fresh, lambda row: row.text, asked=opposite)),
            "misses_sentiment",
        ),
    }
