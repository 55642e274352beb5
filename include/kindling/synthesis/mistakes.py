"""Where our own model errs: the cells that the next generated rows are written for."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import GroupKFold

from kindling.measure.plain_model import plain_model
from kindling.ports.generation import Cell, Draft
from kindling.records import SENTIMENTS, Review, sentiment_of

_FOLDS = 5
#: Rows of its sentiment in other categories that a cell's own few are mixed with.
_PRIOR = 10.0
#: What a generated row counts in training, against 1 for a real one.
_WEIGHT = 0.5


@dataclass(frozen=True)
class Misread:
    """Out-of-fold answers of a model on real rows, by what they should have been."""

    #: Cell -> share of its rows that are misread, mixed with its sentiment's share elsewhere.
    shares: Mapping[Cell, float]
    #: Over the cells' own rows, each sentiment alike; NaN where there are none.
    overall: float
    rows: int


def misread(
    reviews: Sequence[Review],
    cells: Sequence[Cell],
    drafts: Mapping[Cell, Sequence[Draft]],
    seed: int,
) -> Misread | None:
    """Cross-fitted by product, the drafts so far learned from too (those made from a fold's test are not).

    None where nothing can be learned: fewer than two products, or one sentiment.
    """
    truth = np.array([SENTIMENTS.index(sentiment_of(row.rating)) for row in reviews])
    products = [row.product_id for row in reviews]
    folds = min(_FOLDS, len(set(products)))
    if folds < 2 or len(np.unique(truth)) < 2:
        return None
    made = [(cell, draft) for cell, some in drafts.items() for draft in some]
    wrong = np.zeros(len(reviews), bool)
    splitter = GroupKFold(folds, shuffle=True, random_state=seed)
    for train, test in splitter.split(truth, truth, products):
        tested = {reviews[row].review_id for row in test}
        more = [one for one in made if tested.isdisjoint(one[1].source_review_ids)]
        texts = [reviews[row].text for row in train] + [one.text for _, one in more]
        labels = [*truth[train], *(SENTIMENTS.index(c.sentiment) for c, _ in more)]
        weights = [1.0] * len(train) + [_WEIGHT] * len(more)
        model = plain_model(seed, balanced=True)
        model.fit(texts, labels, classifier__sample_weight=weights)
        wrong[test] = model.predict([reviews[row].text for row in test]) != truth[test]
    return _by_cell(reviews, cells, wrong)


def _by_cell(
    reviews: Sequence[Review], cells: Sequence[Cell], wrong: NDArray[np.bool_]
) -> Misread:
    own: dict[Cell, list[bool]] = defaultdict(list)
    elsewhere: dict[str, list[bool]] = defaultdict(list)
    for row, missed in zip(reviews, wrong, strict=True):
        mood = sentiment_of(row.rating)
        own[Cell(row.category, mood)].append(bool(missed))
        elsewhere[mood].append(bool(missed))
    shares = {}
    for cell in cells:
        prior = float(np.mean(elsewhere[cell.sentiment] or [True]))
        found = own.get(cell, [])
        shares[cell] = (sum(found) + _PRIOR * prior) / (len(found) + _PRIOR)
    moods: dict[str, list[bool]] = defaultdict(list)
    for cell in cells:
        moods[cell.sentiment] += own.get(cell, [])
    known = [float(np.mean(some)) for some in moods.values() if some]
    count = sum(len(some) for some in moods.values())
    return Misread(shares, float(np.mean(known)) if known else float("nan"), count)


def aimed(
    lacking: Mapping[Cell, int], shares: Mapping[Cell, float], budget: int
) -> dict[Cell, int]:
    """The budget in proportion to what is misread, no cell beyond what it lacks."""
    given = dict.fromkeys(lacking, 0)
    left = min(budget, sum(lacking.values()))
    while left:
        open_cells = [cell for cell in sorted(lacking) if given[cell] < lacking[cell]]
        weights = np.array([max(shares[cell], 1e-9) for cell in open_cells])
        wanted = left * weights / weights.sum()
        dealt = np.floor(wanted).astype(int)
        # What rounding leaves goes to the largest remainders.
        rest = np.argsort(dealt - wanted, kind="stable")[: left - dealt.sum()]
        dealt[rest] += 1
        for cell, count in zip(open_cells, dealt.tolist(), strict=True):
            taken = min(count, lacking[cell] - given[cell])
            given[cell] += taken
            left -= taken
    return given


def at_random(
    lacking: Mapping[Cell, int], budget: int, rng: np.random.Generator
) -> dict[Cell, int]:
    """The same budget on cells drawn at random, each lacking row alike: the control."""
    rows = [cell for cell in sorted(lacking) for _ in range(lacking[cell])]
    chosen = rng.permutation(len(rows))[:budget]
    given = dict.fromkeys(lacking, 0)
    for at in chosen:
        given[rows[at]] += 1
    return given
