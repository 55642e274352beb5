"""What two reviews share is told as the stage sees it, and a higher threshold releases the less alike."""

from kindling.dedupe.clusters import cluster
from kindling.dedupe.explaining import alike, rethresholded
from kindling.dedupe.texts import Rules, read_texts
from kindling.records import DedupeDecision, Review

RULES = Rules()
TEXT = (
    "the teapot pours without a drip and keeps the tea warm for an hour, my sister "
    "bought the same one for her office and everyone asks where it is from"
)


def review(name: str, text: str) -> Review:
    return Review(name, "p", "c", "", text, 5, "scraped")


def test_a_copy_is_explained_by_the_similarity_that_decided() -> None:
    rows = [review("a", TEXT), review("b", TEXT.replace("sister", "mother"))]
    _, copy = cluster(rows, RULES).members
    found = alike(read_texts(rows, RULES), "b", "a", RULES)
    assert copy.representative == "a"
    assert found.similarity == copy.similarity
    assert found.estimated is not None
    assert abs(found.estimated - found.similarity) < 0.15
    assert 0 < found.bands_shared < found.bands == 25


def test_short_texts_have_no_signature_and_share_no_band() -> None:
    rows = [review("a", "Love it!"), review("b", "love it")]
    found = alike(read_texts(rows, RULES), "a", "b", RULES)
    assert (found.similarity, found.estimated, found.bands_shared) == (1.0, None, 0)


def test_a_higher_threshold_releases_the_copies_below_it() -> None:
    decisions = [
        DedupeDecision("a", "a", True, "representative", 1.0, "train"),
        DedupeDecision("b", "a", False, "near_duplicate", 0.82, "train"),
        DedupeDecision("c", "a", False, "near_duplicate", 0.9, "train"),
        DedupeDecision("d", "a", False, "exact_duplicate", 1.0, "train"),
    ]
    low, high = rethresholded(decisions, [0.8, 0.9])
    assert (low.copies, low.released) == (3, ())
    assert (high.copies, high.released) == (2, ("b",))
