"""A night compares what is new with what stands, and decides as if all nights were compared at once."""

from collections.abc import Iterable
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from kindling.dedupe.clusters import cluster
from kindling.dedupe.placement import Membership
from kindling.dedupe.shingles import fold, jaccard, shingles
from kindling.dedupe.texts import Rules
from kindling.records import DedupeDecision, Review, StageReport, sentiment_of
from kindling.stages.likeness import Likeness, keep, likeness
from kindling.stages.view import Unsplit
from kindling.stores.bands_memory import MemoryBands
from kindling.stores.memory import MemoryRows, MemoryStanding

RULES = Rules(threshold=0.6, miss=0.01)
SENTENCES = (
    "The sleeves are far too long for me and the fabric scratches.",
    "I bought it for my sister, who wears it to the office every day.",
    "After two washes the colour has faded and a seam came open.",
    "这件衣服的颜色很好看，但是尺码偏小，我不得不退货。",
    "ok",
)


class Nights:
    """Stores of one installation, and the comparison of its nights."""

    def __init__(self) -> None:
        self.rows, self.bands = MemoryRows(), MemoryBands()
        self.standing = MemoryStanding()
        self.kept: dict[str, str] = {}

    def night(
        self, number: int, reviews: Iterable[Review], rules: Rules = RULES
    ) -> Likeness:
        run = f"n{number}"
        self.rows.begin_run(run, "r", {})
        self.rows.commit(StageReport("scrape", run, 0, 0), reviews, [])
        context = SimpleNamespace(run_id=run, recipe=SimpleNamespace(name="r"))
        needs = SimpleNamespace(
            unsplit=Unsplit(self.rows, run), bands=self.bands, standing=self.standing
        )
        found = likeness(needs, context, rules, Membership(reviews=dict(self.kept)))
        places = found.clustering.members
        kept = {one.review_id for one in places if one.kept}
        keep(needs, context, rules, found, kept - self.kept.keys())
        self.kept |= dict.fromkeys(kept - self.kept.keys(), "train")
        decisions = [
            DedupeDecision(
                one.review_id,
                one.representative,
                one.kept,
                one.reason,
                one.similarity,
                "train",
            )
            for one in places
        ]
        self.rows.commit(StageReport("dedupe", run, 0, 0), decisions, [])
        return found


texts = st.lists(st.sampled_from(SENTENCES), min_size=1, max_size=3).map(" ".join)
written = st.tuples(texts, st.sampled_from([1, 3, 5]), st.sampled_from(["p", "q"]))
histories = st.lists(st.lists(written, max_size=6), min_size=1, max_size=4)


def reviews_of(number: int, some: list[tuple[str, int, str]]) -> list[Review]:
    return [
        Review(f"{number}-{at}", product, "c", "", text, rating, "scraped")
        for at, (text, rating, product) in enumerate(some)
    ]


@given(histories)
@settings(max_examples=60, deadline=None)
def test_night_after_night_decides_as_all_nights_at_once(
    history: list[list[tuple[str, int, str]]],
) -> None:
    nights, shop, first = Nights(), [], {}
    for number, some in enumerate(history):
        new = reviews_of(number, some)
        shop += new
        first |= {one.review_id: number for one in new}
        found = nights.night(number, shop)
        full = cluster(shop, RULES, first)
        assert found.clustering.members == full.members
        assert found.clustering.apart == full.apart
        assert found.read == (len(new) if number else len(shop))


@st.composite
def shops(draw: st.DrawFn) -> list[list[Review]]:
    """What a shop shows on three nights: reviews come, change and leave."""
    ids = [f"r{n}" for n in range(7)]
    nights = []
    for _ in range(3):
        shown = draw(st.sets(st.sampled_from(ids)))
        nights.append(
            [
                Review(one, product, "c", "", text, rating, "scraped")
                for one in sorted(shown)
                for text, rating, product in (draw(written),)
            ]
        )
    return nights


@given(shops())
@settings(max_examples=60, deadline=None)
def test_reviews_that_change_and_leave_leave_no_wrong_place(
    shown: list[list[Review]],
) -> None:
    nights = Nights()
    for number, some in enumerate(shown):
        found = nights.night(number, some).clustering
        by_id = {one.review_id: one for one in some}
        assert [one.review_id for one in found.members] == sorted(by_id)
        stay = {one.review_id for one in found.members if one.kept}
        for one in found.members:
            assert one.representative in stay
            assert one.similarity >= RULES.threshold
            alike = similarity(by_id[one.review_id], by_id[one.representative])
            assert one.similarity == alike
        apart = {pair[:2] for pair in found.apart}
        for a in stay:
            for b in stay:
                if a < b and similarity(by_id[a], by_id[b]) >= RULES.threshold:
                    opinions = {sentiment_of(by_id[x].rating) for x in (a, b)}
                    assert len(opinions) == 2, (a, b)
                    assert (a, b) in apart


def similarity(one: Review, other: Review) -> float:
    a, b = fold(one.text), fold(other.text)
    if "ok" in (a, b):
        return float(a == b and one.product_id == other.product_id)
    return jaccard(shingles(a, 5), shingles(b, 5))


def test_a_night_tried_again_decides_as_its_first_attempt() -> None:
    nights = Nights()
    first = reviews_of(0, [(SENTENCES[0], 5, "p"), (SENTENCES[1], 5, "p")])
    second = [*first, *reviews_of(1, [(SENTENCES[0] + " Sorry.", 5, "q")])]
    nights.night(0, first)
    once = nights.night(1, second)
    assert nights.night(1, second).clustering == once.clustering
    assert once.clustering.members[2].representative == "0-0"


def test_a_copy_of_what_was_learned_from_and_has_left_is_told_under_other_rules_too() -> (
    None
):
    for rules in (RULES, replace(RULES, threshold=0.7, miss=0.001)):
        nights = Nights()
        text = " ".join(SENTENCES[:3])
        left, stays = reviews_of(0, [(text, 5, "p"), (SENTENCES[1], 5, "p")])
        nights.night(0, [left, stays])
        copy = Review("copy", "q", "c", "", text + " So.", 5, "scraped")
        found = nights.night(1, [stays, copy], rules)
        assert found.clustering.members[-1].kept
        assert {one: why.reason for one, why in found.seen.items()} == {
            "copy": "copy_seen_in_training"
        }
        # And on the night after it, when nothing is new but a second copy.
        other = replace(copy, review_id="other", body=f"Well. {text}", rating=1)
        again = nights.night(2, [stays, other], rules)
        assert set(again.seen) == {"other"}


def test_signatures_come_back_from_the_bands_as_they_were() -> None:
    nights = Nights()
    found = nights.night(0, reviews_of(0, [(" ".join(SENTENCES[:2]), 5, "p")]))
    (leader,) = found.clustering.leaders
    (row,) = nights.bands.of_review("", "0-0")
    assert leader.signature is not None and row.signature is not None
    assert np.array_equal(np.frombuffer(row.signature, "<u2"), leader.signature)
    assert row.learned
