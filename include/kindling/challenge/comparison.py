"""Which real rows the synthetic ones are held against, and the folds in which they are told apart."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

from kindling.records import Review, Sentiment, sentiment_of

#: Fewer rows than this of one side teach a discriminator nothing.
_MIN_SIDE = 5


@dataclass(frozen=True)
class Comparison:
    """Real rows first, synthetic after; `sources` and `products` hold what ties rows together."""

    review_ids: tuple[str, ...]
    texts: tuple[str, ...]
    #: bool [N]
    synthetic: np.ndarray
    #: Product of a real row; of a synthetic row the products of its sources, in their order.
    products: tuple[tuple[str, ...], ...]
    #: Source reviews of a synthetic row; empty for a real one.
    sources: tuple[tuple[str, ...], ...]
    #: What the sides were matched on; folds keep its shares, see `fold`.
    cells: tuple[str, ...]

    def subset(self, rows: np.ndarray) -> "Comparison":
        return Comparison(
            tuple(self.review_ids[row] for row in rows),
            tuple(self.texts[row] for row in rows),
            self.synthetic[rows],
            tuple(self.products[row] for row in rows),
            tuple(self.sources[row] for row in rows),
            tuple(self.cells[row] for row in rows),
        )


@dataclass(frozen=True)
class Folds:
    """(train, test) row numbers a fold; the tests cover every row once."""

    splits: tuple[tuple[np.ndarray, np.ndarray], ...]
    #: "components", "first source" or "rows": see `fold`.
    rule: str
    #: Mean share of the training rows that were left out because they share text with the test.
    excluded_share: float


def match(
    real: Sequence[Review],
    synthetic: Sequence[Review],
    intended: Sequence[Sentiment],
    ratio: int,
    rng: np.random.Generator,
) -> tuple[list[Review], float]:
    """Real rows of the same categories and sentiments, and the share that had to come from elsewhere.

    Unmatched, a discriminator would name the topic. Each cell of category and sentiment gets up to
    `ratio` real rows a synthetic one; a cell with fewer real than synthetic rows is filled up to
    equality with rows of that sentiment from other categories.
    """
    pool: dict[Sentiment, list[Review]] = defaultdict(list)
    for position in rng.permutation(len(real)):
        pool[sentiment_of(real[position].rating)].append(real[position])
    wanted: dict[tuple[Sentiment, str], int] = defaultdict(int)
    for row, sentiment in zip(synthetic, intended, strict=True):
        wanted[sentiment, row.category] += 1
    taken: dict[str, Review] = {}
    missing: dict[Sentiment, int] = defaultdict(int)
    for (sentiment, category), count in sorted(wanted.items()):
        here = [row for row in pool[sentiment] if row.category == category][
            : ratio * count
        ]
        taken.update((row.review_id, row) for row in here)
        missing[sentiment] += max(0, count - len(here))
    inside = len(taken)
    for sentiment, count in sorted(missing.items()):
        elsewhere = [row for row in pool[sentiment] if row.review_id not in taken][
            :count
        ]
        taken.update((row.review_id, row) for row in elsewhere)
    return list(taken.values()), 1 - inside / max(1, len(taken))


def fold(comparison: Comparison, folds: int, seed: int) -> Folds:
    """Folds that keep a synthetic row with the real rows that it was made from.

    "components": rows tied by product or source stand in one fold. Where that ties most rows into one,
    "first source": a synthetic row stands with the product of its first source; a real row that is a
    source of the fold's synthetic rows, and a synthetic row made from the fold's real ones, are left
    out of that fold's training. "rows": too few products for either; plain folds.

    Sides and cells keep their shares in every fold: where a training part has more of a cell on one side,
    its test part has more on the other, and the discriminator would do worse than chance on equal sides.
    """
    components = _components(comparison)
    if np.bincount(components).max() <= len(components) / 2:
        plan = _plan(comparison, components, folds, seed, "components")
        if plan:
            return plan
    ties = [
        products[0] if products else f"row {row}"
        for row, products in enumerate(comparison.products)
    ]
    first_source = np.unique(ties, return_inverse=True)[1]
    return _plan(comparison, first_source, folds, seed, "first source") or _rows(
        comparison, folds, seed
    )


def _components(comparison: Comparison) -> np.ndarray:
    """Component number of each row, when rows that share a product are tied."""
    count = len(comparison.texts)
    products = sorted({product for ties in comparison.products for product in ties})
    node = {product: count + number for number, product in enumerate(products)}
    edges = [
        (row, node[product])
        for row, ties in enumerate(comparison.products)
        for product in ties
    ]
    heads, tails = np.array(edges, dtype=int).reshape(-1, 2).T
    graph = coo_array(
        (np.ones(len(edges)), (heads, tails)), shape=(count + len(products),) * 2
    )
    return np.asarray(connected_components(graph, directed=False)[1][:count])


def _plan(
    comparison: Comparison, groups: np.ndarray, folds: int, seed: int, rule: str
) -> Folds | None:
    """None where some fold would leave one side with next to nothing to learn from."""
    folds = min(
        folds, len(np.unique(groups)), *np.bincount(comparison.synthetic, minlength=2)
    )
    if folds < 2:
        return None
    splitter = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
    splits, excluded = [], []
    for train, test in splitter.split(groups, _strata(comparison, folds), groups):
        kept = train[~_shares_text(comparison, train, test)]
        excluded.append(1 - len(kept) / len(train))
        if min(np.bincount(comparison.synthetic[kept], minlength=2)) < _MIN_SIDE:
            return None
        splits.append((kept, test))
    return Folds(tuple(splits), rule, float(np.mean(excluded)))


def _strata(comparison: Comparison, folds: int) -> np.ndarray:
    """[N] number of a row's side and cell; cells with fewer rows than folds stand together."""
    named = [
        f"{side} {cell}"
        for side, cell in zip(comparison.synthetic, comparison.cells, strict=True)
    ]
    counts = Counter(named)
    sides = map(str, comparison.synthetic)
    strata = [
        name if counts[name] >= folds else side
        for name, side in zip(named, sides, strict=True)
    ]
    return np.unique(strata, return_inverse=True)[1]


def _shares_text(
    comparison: Comparison, train: np.ndarray, test: np.ndarray
) -> np.ndarray:
    """bool [len(train)]: the row is a source of a test row, or was made from one."""
    tested = {comparison.review_ids[row] for row in test}
    used = {source for row in test for source in comparison.sources[row]}
    return np.array(
        [
            comparison.review_ids[row] in used
            or not tested.isdisjoint(comparison.sources[row])
            for row in train
        ]
    )


def _rows(comparison: Comparison, folds: int, seed: int) -> Folds:
    folds = min(folds, *np.bincount(comparison.synthetic, minlength=2))
    splitter = StratifiedKFold(folds, shuffle=True, random_state=seed)
    return Folds(
        tuple(splitter.split(comparison.texts, comparison.synthetic)), "rows", 0.0
    )
