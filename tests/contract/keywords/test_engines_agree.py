"""The embedded engine stands in for Elasticsearch: on one corpus they give one order."""

import numpy as np

from kindling.ports.index import KeywordIndex

OPENINGS = (
    "I love this",
    "Not sure about the",
    "Returned the",
    "Bought two of the",
    "My daughter wears this",
    "Avoid the",
)
THINGS = (
    "dress",
    "red dress",
    "denim jacket",
    "wool sweater",
    "pair of shorts",
    "linen shirt",
    "pleated skirt",
    "raincoat",
)
VERDICTS = (
    "it fits well and feels soft",
    "the seams came apart after two washes",
    "runs small so order a size up",
    "it doesn't keep its shape",
    "the colour faded quickly",
    "lovely drape and a comfortable waist",
    "the zipper broke on the first day",
    "warm enough for autumn evenings",
    "itchy, stiff and overpriced",
)
QUERIES = (
    "red dress that runs small",
    "broken zipper",
    "seams coming apart",
    "itchy wool",
    "comfortable linen shirts",
    "didn't fit my daughter",
    "warm jacket for the evening",
    "faded colours after washing",
    "raincoat",
    "pleated skirts returned",
)


def test_the_first_ten_agree(
    tantivy: KeywordIndex, elasticsearch: KeywordIndex, version: str, make: object
) -> None:
    rng = np.random.default_rng(7)
    texts = [
        ". ".join(
            f"{rng.choice(OPENINGS)} {rng.choice(THINGS)}, {rng.choice(VERDICTS)}"
            for _ in range(rng.integers(1, 5))
        )
        for _ in range(1500)
    ]
    documents = [make(f"r{i:04}", text) for i, text in enumerate(texts)]  # type: ignore[operator]
    overlaps = []
    for index in (tantivy, elasticsearch):
        index.build(version, documents)
    for query in QUERIES:
        ours = tantivy.search(version, query, 10)
        theirs = {
            hit.review_id: hit.score
            for hit in elasticsearch.search(version, query, 200)
        }
        # The engines scale scores apart and split "didn't" apart: what counts is who is as good as the tenth.
        tenth = sorted(theirs.values(), reverse=True)[9]
        overlaps.append(
            np.mean(
                [theirs.get(hit.review_id, 0.0) >= tenth * (1 - 1e-4) for hit in ours]
            )
        )
    assert min(overlaps) >= 0.8 and np.mean(overlaps) >= 0.9, dict(
        zip(QUERIES, overlaps, strict=True)
    )
