"""The stage's promises: a decision for every row, frozen splits, and a holdout that nothing leaks into."""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace

import pytest

from kindling.dedupe.leakage import check_text
from kindling.dedupe.placement import Membership
from kindling.errors import DataError
from kindling.records import DedupeDecision, Photo, Review


@pytest.fixture
def catalogue(
    review: Callable[..., Review], sentence: Callable[[int], str]
) -> list[Review]:
    """60 products of ten reviews, every star among them."""
    return [
        review(
            sentence(n),
            rating=1 + n % 5,
            product=f"p{n // 10:02d}",
            category=f"c{n // 10 % 3}",
        )
        for n in range(600)
    ]


def splits(outcome) -> dict[str, str]:
    return {one.review_id: one.split for one in outcome.records}


def product_in(rows: list[Review], outcome, split: str, skip: int = 0) -> str:
    found = splits(outcome)
    return sorted({row.product_id for row in rows if found[row.review_id] == split})[
        skip
    ]


def test_every_review_gets_one_decision_and_a_reason(
    catalogue: list[Review], run_dedupe: Callable
) -> None:
    rows = [*catalogue, replace(catalogue[0], review_id="zz", title="")]
    outcome = run_dedupe(rows)
    assert [one.review_id for one in outcome.records] == sorted(
        row.review_id for row in rows
    )
    assert (outcome.rows_in, outcome.rows_out) == (601, 600)
    assert Counter(one.reason for one in outcome.records) == {
        "unique": 599,
        "representative": 1,
        "exact_duplicate": 1,
    }
    assert [(one.row_id, one.reason) for one in outcome.rejections] == [
        ("zz", "exact_duplicate")
    ]
    assert outcome.figures["split_rule"] == "balanced"
    sizes = outcome.figures["split_sizes"]
    assert sum(sum(one.values()) for one in sizes.values()) == 600
    assert all(count for one in sizes.values() for count in one.values())


def test_split_is_frozen_when_rows_are_added(
    catalogue: list[Review],
    run_dedupe: Callable,
    review: Callable[..., Review],
    sentence: Callable[[int], str],
) -> None:
    first = run_dedupe(catalogue, known=Membership())
    before = {one.review_id: one.split for one in first.decisions}
    new = [
        review(sentence(n), rating=1 + n % 5, product=f"q{n // 10:02d}")
        for n in range(2_000, 2_300)
    ]
    more = [
        review(sentence(n), rating=1 + n % 5, product=f"p{n % 60:02d}")
        for n in range(3_000, 3_200)
    ]
    second = run_dedupe([*catalogue, *new, *more], known=first.membership)
    after = {one.review_id: one.split for one in second.decisions}
    assert {one: after[one] for one in before} == before
    share = second.figures["split_shares"]
    assert share["golden"] == pytest.approx(0.15, abs=0.05)
    third = run_dedupe([*catalogue, *more], known=second.membership)
    assert {
        one.review_id: one.split for one in third.decisions
    }.items() <= after.items()


def test_a_later_copy_takes_the_other_side_out(
    catalogue: list[Review], run_dedupe: Callable
) -> None:
    """Whichever comes first stays; a golden row is neither lost nor learned from."""
    first = run_dedupe(catalogue, known=Membership())
    before = {one.review_id: one.split for one in first.decisions}
    sides = {
        split: next(
            row
            for row in catalogue
            if before[row.review_id] == split and row.rating >= 4
        )
        for split in ("golden", "train")
    }
    for source, target in (("golden", "train"), ("train", "golden")):
        product = sides[target].product_id
        for rating in (5, 1):
            text = sides[source].body + " and more words at its end"
            copy = replace(
                sides[source],
                review_id="a-copy",
                product_id=product,
                body=text,
                rating=rating,
            )
            second = run_dedupe([*catalogue, copy], known=first.membership)
            decisions = {one.review_id: one for one in second.decisions}
            assert {one: decisions[one].split for one in before} == before
            assert decisions[sides[source].review_id].kept
            assert not decisions["a-copy"].kept
            opposite = {
                "golden": "copy_across_golden",
                "train": "copy_seen_in_training",
            }
            assert decisions["a-copy"].reason == (
                "near_duplicate" if rating == 5 else opposite[source]
            )


def test_a_review_that_moves_keeps_its_side(
    catalogue: list[Review], run_dedupe: Callable
) -> None:
    first = run_dedupe(catalogue, known=Membership())
    before = {one.review_id: one.split for one in first.decisions}
    product = {
        split: next(r.product_id for r in catalogue if before[r.review_id] == split)
        for split in ("golden", "train")
    }
    for source, target, reason in (
        ("golden", "train", "unique"),
        ("train", "golden", "moved_into_golden"),
    ):
        moved = next(r for r in catalogue if before[r.review_id] == source)
        rows = [
            replace(r, product_id=product[target]) if r is moved else r
            for r in catalogue
        ]
        second = run_dedupe(rows, known=first.membership)
        decision = next(
            one for one in second.decisions if one.review_id == moved.review_id
        )
        assert (decision.split, decision.reason) == (source, reason)
        assert decision.kept == (source == "golden")


def test_a_golden_product_that_grows_does_not_take_golden_over(
    catalogue: list[Review],
    run_dedupe: Callable,
    review: Callable[..., Review],
    sentence: Callable[[int], str],
) -> None:
    first = run_dedupe(catalogue, known=Membership())
    before = {one.review_id: one.split for one in first.decisions if one.kept}
    golden = next(r.product_id for r in catalogue if before[r.review_id] == "golden")
    many = [
        review(sentence(n), rating=1 + n % 5, product=golden)
        for n in range(5_000, 5_400)
    ]
    second = run_dedupe([*catalogue, *many], known=first.membership)
    kept = {one.review_id: one.split for one in second.decisions if one.kept}
    assert before.items() <= kept.items()
    assert second.figures["rows_beyond_product_share"] > 300
    assert second.figures["effective_products"]["golden"] >= 5


def test_a_stock_sentence_ties_no_products(
    catalogue: list[Review], run_dedupe: Callable, review: Callable[..., Review]
) -> None:
    phrase = "I received this product for free in exchange for my honest review"
    rows = [
        *catalogue,
        *(review(phrase, rating=5, product=f"p{n:02d}") for n in range(60)),
    ]
    outcome = run_dedupe(rows)
    assert outcome.figures["product_groups"] == 60
    assert Counter(one.kept for one in outcome.records) == {True: 601, False: 59}


def test_niche_is_in_every_split_or_the_figures_say_what_it_takes(
    catalogue: list[Review], run_dedupe: Callable, review: Callable[..., Review]
) -> None:
    outcome = run_dedupe(catalogue, niche=("c1",))
    assert outcome.figures["niche_lacks"] == []
    assert all(outcome.figures["niche_rows"]["c1"].values())
    rare = [
        review(
            f"number {n} of the rare kind has a story of its own {n}{n}{n}",
            product=f"rare{n % 2}",
            category="Rare",
        )
        for n in range(6)
    ]
    figures = run_dedupe([*catalogue, *rare], niche=("Rare",)).figures
    (lack,) = figures["niche_lacks"]
    assert "2 products in 2 separate groups" in lack
    assert "scrape 1 more products of Rare" in lack


def test_products_that_share_a_text_share_a_split(
    catalogue: list[Review], run_dedupe: Callable
) -> None:
    plain = run_dedupe(catalogue)
    golden, train = (
        product_in(catalogue, plain, "golden"),
        product_in(catalogue, plain, "train"),
    )
    source = next(
        row for row in catalogue if row.product_id == golden and row.rating >= 4
    )
    for rating in (
        source.rating,
        1,
    ):  # A copy, and an opposite opinion in the same words, which is kept.
        copy = replace(source, review_id="zz", product_id=train, rating=rating)
        outcome = run_dedupe([*catalogue, copy])
        found = splits(outcome)
        assert (
            found["zz"]
            == found[source.review_id]
            == found[
                next(row.review_id for row in catalogue if row.product_id == train)
            ]
        )
        assert outcome.figures["opposite_polarity_edges_refused"] == (rating == 1)


def test_guard_names_a_planted_leak(
    catalogue: list[Review], run_dedupe: Callable, monkeypatch
) -> None:
    with pytest.raises(
        DataError, match=r"reviews a \(golden\) and b \(train\) have similarity 0.930"
    ):
        check_text([("a", "b", 0.93)], {"a": "golden", "b": "train"})
    check_text([("a", "b", 0.93)], {"a": "validation", "b": "train"})
    plain = run_dedupe(catalogue)
    golden, train = (
        product_in(catalogue, plain, "golden"),
        product_in(catalogue, plain, "train"),
    )
    source = next(
        row for row in catalogue if row.product_id == golden and row.rating >= 4
    )
    rows = [*catalogue, replace(source, review_id="zz", product_id=train, rating=1)]
    monkeypatch.setattr("kindling.dedupe.night._text_links", lambda *_: [])
    dropped = {one.review_id: one for one in run_dedupe(rows).records}["zz"]
    assert (dropped.kept, dropped.reason) == (False, "copy_across_golden")
    monkeypatch.setattr("kindling.dedupe.night.at_border", lambda *_: {})
    with pytest.raises(DataError, match="two sides of the golden border"):
        run_dedupe(rows)


def test_small_catalogue_is_balanced_and_says_so(
    run_dedupe: Callable, review: Callable[..., Review], sentence: Callable[[int], str]
) -> None:
    rows = [
        review(sentence(n), rating=(1, 3, 5)[n % 3], product=f"p{n // 6:02d}")
        for n in range(84)
    ]
    outcome = run_dedupe(rows, golden_share=0.25, validation_share=0.2)
    assert outcome.figures["split_rule"] == "balanced"
    assert all(
        count
        for one in outcome.figures["split_sizes"].values()
        for count in one.values()
    )


def test_niche_keeps_its_seeds_only_in_train(
    catalogue: list[Review], run_dedupe: Callable
) -> None:
    category = {row.review_id: row.category for row in catalogue}
    outcome = run_dedupe(catalogue, niche=("c1",), known=Membership(), niche_seeds=7)
    rows = Counter(
        (category[one.review_id], one.split) for one in outcome.decisions if one.kept
    )
    everything = Counter(
        (category[one.review_id], one.split) for one in outcome.decisions
    )
    assert rows["c1", "train"] == 7
    assert {key: n for key, n in rows.items() if key != ("c1", "train")} == {
        key: n for key, n in everything.items() if key != ("c1", "train")
    }
    dropped = {
        one.review_id for one in outcome.decisions if one.reason == "beyond_niche_seeds"
    }
    assert dropped == {
        one.row_id for one in outcome.rejections if one.reason == "beyond_niche_seeds"
    }
    again = run_dedupe(
        [row for row in catalogue if row.review_id not in dropped],
        niche=("c1",),
        known=outcome.membership,
        niche_seeds=7,
    )
    assert all(one.kept for one in again.decisions)


@pytest.mark.parametrize("cap", [1.0, 0.001])
def test_a_picture_at_the_golden_border(
    cap: float,
    catalogue: list[Review],
    run_dedupe: Callable,
    photo: Callable[..., Photo],
    jpeg: Callable[..., bytes],
) -> None:
    """Its products are joined; where the cap forbids that, the side outside the holdout loses the picture."""
    plain = run_dedupe(catalogue)
    golden, train = (
        product_in(catalogue, plain, "golden"),
        product_in(catalogue, plain, "train"),
    )
    shown, resaved = photo(jpeg(0), golden), photo(jpeg(0, quality=40), train)
    stock = photo(jpeg(0, size=80), train, "product")
    pair = {
        next(
            row for row in catalogue if row.product_id == golden
        ).review_id: shown.photo_id,
        next(
            row for row in catalogue if row.product_id == train
        ).review_id: resaved.photo_id,
    }
    rows = [replace(row, photo_id=pair.get(row.review_id)) for row in catalogue]
    outcome = run_dedupe([*rows, shown, resaved, stock], group_cap=cap)
    decisions = {
        one.review_id: one for one in outcome.records if isinstance(one, DedupeDecision)
    }
    a, b = (decisions[one] for one in pair)
    assert outcome.figures["photo_clusters"] == 1
    assert outcome.figures["stock_photos_in_reviews"] == 2
    if cap == 1.0:
        assert (
            a.split == b.split
            and a.photo_kept
            and b.photo_kept
            and not outcome.rejections
        )
    else:
        assert (a.split, b.split) == ("golden", "train")
        assert a.photo_kept and b.kept and not b.photo_kept
        assert (
            outcome.figures["photo_links_refused"]
            == outcome.figures["photos_dropped_at_golden_border"]
            == 1
        )
        assert {one.row_id for one in outcome.rejections} == {
            resaved.photo_id,
            stock.photo_id,
        }


def test_empty_input_and_empty_split_are_errors(
    run_dedupe: Callable, review: Callable[..., Review]
) -> None:
    with pytest.raises(DataError, match="no scraped review"):
        run_dedupe([])
    rows = [review(f"number {n}", product=f"p{n}") for n in range(3)]
    known = Membership(products=dict.fromkeys(("p0", "p1", "p2"), "train"))
    with pytest.raises(
        DataError, match="no review is left for the split validation, golden"
    ):
        run_dedupe(rows, known=known)
