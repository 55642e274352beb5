"""What gives the synthetic rows away: ranked cues, and how much is still told with a cue taken out."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from kindling.challenge import style
from kindling.challenge.comparison import Comparison, fold
from kindling.challenge.discriminator import Features, Scores, featurise, judge, score
from kindling.records import Estimate


@dataclass(frozen=True)
class Cue:
    """`effect` is how far the cue parts the two sides, in the discriminator's mean log-odds."""

    name: str
    #: "style", "words" or "characters".
    kind: str
    effect: float
    #: What the two means are of: the family's strongest measure, standardised; or the n-gram's TF-IDF.
    measure: str
    synthetic: float
    real: float


def rank(
    features: Features, scores: Scores, synthetic: np.ndarray, limit: int
) -> list[Cue]:
    """The strongest cues first; a style family stands as one cue, shown by its strongest measure."""
    means = [
        np.asarray(features.matrix[side].mean(axis=0)).ravel()
        for side in (synthetic, ~synthetic)
    ]
    effects = scores.coefficients * (means[0] - means[1])
    columns: dict[tuple[str, str], list[int]] = defaultdict(list)
    for column, (kind, name) in enumerate(features.names):
        columns[("style", kind) if kind in style.MEASURES else (kind, name)].append(
            column
        )
    totals = {cue: float(effects[members].sum()) for cue, members in columns.items()}
    best = sorted(totals, key=lambda cue: (-totals[cue], cue))[:limit]
    result = []
    for kind, name in best:
        shown = max(columns[kind, name], key=lambda column: effects[column])
        measure = features.names[shown][1] if kind == "style" else "TF-IDF"
        result.append(
            Cue(
                name,
                kind,
                totals[kind, name],
                measure,
                float(means[0][shown]),
                float(means[1][shown]),
            )
        )
    return [cue for cue in result if cue.effect > 0]


def retest(
    comparison: Comparison,
    families: Sequence[str],
    folds: int,
    replicates: int,
    max_side: int,
    seed: int,
) -> dict[str, Estimate]:
    """AUC of new discriminators on texts without each family, beside "nothing" removed.

    On at most `max_side` rows a side, for speed; compare these figures with one another only.
    """
    if not families:
        return {}
    rng = np.random.default_rng(seed)
    rows = np.sort(
        np.concatenate(
            [
                rng.permutation(np.flatnonzero(comparison.synthetic == side))[:max_side]
                for side in (False, True)
            ]
        )
    )
    sample = comparison.subset(rows)
    plan = fold(sample, folds, seed)
    found = {}
    for family in ("nothing", *families):
        texts = (
            sample.texts
            if family == "nothing"
            else tuple(style.without(sample.texts, family))
        )
        scores = score(featurise(texts), sample, plan, seed)
        found[family] = judge(
            scores.synthetic, replace(sample, texts=texts), replicates, seed
        ).auc
    return found
