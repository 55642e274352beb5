"""Plants copies among the reviews: exact ones, near ones, and pairs that differ by one "not"."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from shop.bundled.grammar import Writer
from shop.bundled.vocabulary import Category, phrases
from shop.bundled.voice import mistype
from shop.chance import pick
from shop.records import Review, Sentiment, Truth, sentiment_of

#: Shares of all reviews that become a copy; every catalogue gets at least one of each.
EXACT = 0.01
NEAR = 0.012
OPPOSITE_PAIRS = 0.001
#: Only longer texts are copied: short ones repeat by themselves.
LONG = 120

Row = tuple[Review, Truth]


def plant_duplicates(
    rows: list[Row], categories: Mapping[str, Category], rng: np.random.Generator
) -> list[Row]:
    """The same reviews, some with another's text; stars, sentiment and claimed damage fit it as before."""
    rows = list(rows)
    free = [at for at in rng.permutation(len(rows)).tolist() if _plain(rows[at])]
    groups: dict[tuple[str, int, str], list[int]] = {}
    for at in free:
        review, truth = rows[at]
        groups.setdefault(
            (categories[review.product_id].name, review.rating, truth.sentiment), []
        ).append(at)
    wanted = ["exact"] * max(1, round(EXACT * len(rows))) + ["near"] * max(
        1, round(NEAR * len(rows))
    )
    pairs = [
        (group[at], group[at + 1])
        for group in groups.values()
        for at in range(0, len(group) - 1, 2)
    ]
    order = [pairs[int(at)] for at in rng.permutation(len(pairs))]
    for kind, (source, copy) in zip(wanted, order, strict=False):
        rows[copy] = _copy(rows[source], rows[copy], kind, rng)
    taken = {at for pair in order[: len(wanted)] for at in pair}
    _plant_opposites(rows, [at for at in free if at not in taken], categories, rng)
    return rows


def _plain(row: Row) -> bool:
    review, truth = row
    return (
        len(review.body) >= LONG
        and truth.style == "regular"
        and truth.claimed is None
        and sentiment_of(review.rating) == truth.sentiment
    )


def _copy(source: Row, row: Row, kind: str, rng: np.random.Generator) -> Row:
    (original, _), (review, truth) = source, row
    body = original.body
    if kind == "near":
        body = mistype(body, 0.04, rng) if rng.random() < 0.5 else body
        body = (
            body + pick(rng, (" Thanks", " Edit: still the same", " :)"))
            if body == original.body
            else body
        )
    return replace(review, title=original.title, body=body), replace(
        truth,
        duplicate="near" if kind == "near" else "exact",
        duplicate_of=original.review_id,
    )


def _plant_opposites(
    rows: list[Row],
    free: list[int],
    categories: Mapping[str, Category],
    rng: np.random.Generator,
) -> None:
    """The same long, factual text with opposite verdicts: a deduplication that merges the two is wrong."""
    pairs: list[tuple[int, int]] = []
    for sentiment_pair in zip(
        _of(rows, free, "positive"), _of(rows, free, "negative"), strict=False
    ):
        if (
            categories[rows[sentiment_pair[0]][0].product_id]
            is categories[rows[sentiment_pair[1]][0].product_id]
        ):
            pairs.append(sentiment_pair)
    for yes, no in pairs[: max(1, round(OPPOSITE_PAIRS * len(rows)))]:
        writer = Writer(
            categories[rows[yes][0].product_id], "positive", rows[yes][0].rating, rng
        )
        facts = [
            writer.fill(line)
            for line in rng.permutation(phrases()["filler"]["any"])[:4].tolist()
        ]
        for at, verdict in ((yes, "yes"), (no, "no")):
            text = ". ".join(
                line[:1].upper() + line[1:]
                for line in [*facts, phrases()["verdict"][verdict]]
            )
            review, truth = rows[at]
            body = text.format(time="a month", item=writer.category.item) + "."
            of = rows[yes][0].review_id if at == no else None
            rows[at] = (
                replace(review, title="", body=body),
                replace(truth, duplicate="opposite", duplicate_of=of),
            )


def _of(rows: list[Row], free: list[int], sentiment: Sentiment) -> list[int]:
    return [at for at in free if rows[at][1].sentiment == sentiment]
