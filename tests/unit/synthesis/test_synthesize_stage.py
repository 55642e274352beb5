"""The stage: only train-split rows are looked at, every row says where it comes from, and figures add up."""

import hashlib
from collections import Counter
from collections.abc import Callable
from dataclasses import replace

import pytest

from kindling.errors import ConfigurationError, DataError
from kindling.recipe import SynthesizeConfig
from kindling.records import (
    CONDITIONS,
    DedupeDecision,
    Photo,
    PhotoDecision,
    Product,
    Rejection,
    Review,
    Study,
    Synthesis,
)


def of(outcome, record_type: type) -> list:
    return [record for record in outcome.records if type(record) is record_type]


def test_rows_photos_and_origins_belong_together(
    world, run_synthesize: Callable
) -> None:
    outcome = run_synthesize()
    reviews, photos = (
        of(outcome, Review),
        {photo.photo_id: photo for photo in of(outcome, Photo)},
    )
    origins = {one.review_id: one for one in of(outcome, Synthesis)}
    real = {row.review_id: row for row in world.rows if isinstance(row, Review)}
    split = {
        row.review_id: row.split
        for row in world.rows
        if isinstance(row, DedupeDecision)
    }
    bases = {row.photo_id: row for row in world.rows if isinstance(row, Photo)}
    assert outcome.rows_out == len(reviews) == len(origins) > 40
    assert outcome.rows_in == outcome.rows_out + len(outcome.rejections)
    for review in reviews:
        origin = origins[review.review_id]
        assert (
            review.review_id.startswith("syn-")
            and review.origin == "synthetic"
            and review.category == "Teapots"
        )
        assert review.product_id.startswith("Teapots-")
        assert all(split[source] == "train" for source in origin.source_review_ids)
        assert all(
            real[source].origin == "scraped" for source in origin.source_review_ids
        )
        assert (review.photo_id is None) == (origin.condition is None)
        if review.photo_id:
            photo = photos[review.photo_id]
            assert (
                hashlib.sha256(world.objects.get(photo.uri)).hexdigest()
                == photo.photo_id
            )
            assert (photo.origin, photo.condition, photo.product_id) == (
                "synthetic",
                origin.condition,
                review.product_id,
            )
            # The subject has a photo of its own, so no other one is used.
            assert bases[photo.base_photo_id].product_id == review.product_id
    assert outcome.implementation == {
        "text": "offline-recombination/1",
        "image": "drawn-conditions/2",
    }


def test_figures_add_up(world, run_synthesize: Callable) -> None:
    outcome = run_synthesize(target=30, photo_share=0.5)
    figures, reviews = outcome.figures, of(outcome, Review)
    made = Counter(one.sentiment for one in of(outcome, Synthesis))
    real = Counter(
        "negative" if r.rating < 3 else "neutral" if r.rating == 3 else "positive"
        for r in world.rows
        if isinstance(r, Review) and r.review_id.startswith("t")
    )
    for sentiment in ("negative", "neutral", "positive"):
        cell = figures["cells"][f"Teapots/{sentiment}"]
        assert cell["lacking"] == cell["wanted"] == 30 - real[sentiment]
        assert cell["made"] == made[sentiment] == cell["wanted"]
    assert (
        figures["photos"]
        == sum(figures["conditions"].values())
        == sum(bool(r.photo_id) for r in reviews)
    )
    assert figures["photos"] == pytest.approx(0.5 * len(reviews), abs=2)
    assert set(figures["conditions"]) == {"intact", "torn", "stained", "broken"}


def test_same_run_same_rows_another_seed_others(run_synthesize: Callable) -> None:
    one, two, other = run_synthesize(), run_synthesize(), run_synthesize(seed=8)
    assert (one.records, one.rejections, one.figures) == (
        two.records,
        two.rejections,
        two.figures,
    )
    assert not {r.review_id for r in of(one, Review)} & {
        r.review_id for r in of(other, Review)
    }


def test_golden_rows_and_their_pictures_are_never_touched(
    world, run_synthesize: Callable
) -> None:
    """Golden rows' words and dropped rows' words may be anything: the outcome is the same."""
    plain = run_synthesize()
    train = {
        row.review_id
        for row in world.rows
        if isinstance(row, DedupeDecision) and row.split == "train"
    }
    changed = [
        replace(row, body="Zebra zebra zebra.")
        if isinstance(row, Review) and row.review_id not in train
        else row
        for row in world.rows
    ]
    assert run_synthesize(changed).records == plain.records
    barred = {
        photo.photo_id
        for photo in world.rows
        if isinstance(photo, Photo) and photo.product_id == "Teapots-0"
    }
    rows = [
        replace(row, usable=False, reason="across_golden")
        if isinstance(row, PhotoDecision) and row.photo_id in barred
        else row
        for row in world.rows
    ]
    assert (
        not {photo.base_photo_id for photo in of(run_synthesize(rows), Photo)} & barred
    )
    assert {photo.base_photo_id for photo in of(plain, Photo)} & barred


def test_a_review_photo_is_used_only_if_dedupe_kept_it(
    world, run_synthesize: Callable, thing: Callable[..., bytes]
) -> None:
    uri = world.objects.put(thing(77), ".png")
    photo = Photo("f" * 64, "golden-Teapots", "review", "scraped", uri, 160, 200)
    others = (Photo, PhotoDecision)
    base = [row for row in world.rows if not isinstance(row, others)]
    for kept in (True, False):
        rows = [
            replace(row, photo_id=photo.photo_id)
            if isinstance(row, Review) and row.review_id == "t0000"
            else replace(row, photo_kept=kept)
            if isinstance(row, DedupeDecision) and row.review_id == "t0000"
            else row
            for row in base
        ]
        usable = PhotoDecision(photo.photo_id, True, "free")
        outcome = run_synthesize([*rows, photo, usable], target=20)
        assert bool(of(outcome, Photo)) == kept
        if not kept:
            assert outcome.figures["cells"]["Teapots/neutral"]["photo_shortfall"]


def test_studies_show_intact_things_of_the_train_split_in_every_condition(
    world, run_synthesize: Callable, thing: Callable[..., bytes]
) -> None:
    five, three = (
        row.review_id
        for stars in (5, 3)
        for row in [
            next(
                r
                for r in world.rows
                if isinstance(r, Review) and r.review_id[0] == "t" and r.rating == stars
            )
        ]
    )
    taken = [
        Photo(
            name * 64,
            "Teapots-0",
            "review",
            "scraped",
            world.objects.put(thing(90 + number), ".png"),
            160,
            200,
        )
        for number, name in enumerate("ab")
    ]
    shown = {five: "a" * 64, three: "b" * 64}
    rows = [
        replace(row, photo_id=shown[row.review_id])
        if isinstance(row, Review) and row.review_id in shown
        else row
        for row in world.rows
    ]
    usable = [PhotoDecision(one.photo_id, True, "free") for one in taken]
    found = of(run_synthesize([*rows, *taken, *usable], studies=30), Study)
    assert len(found) == 30
    assert all(set(study.uris) == set(CONDITIONS) for study in found)
    assert all(len(set(study.uris.values())) == len(CONDITIONS) for study in found)
    for study in found:
        data = world.objects.get(study.uris["intact"])
        assert hashlib.sha256(data).hexdigest() == study.study_id
    bases = Counter(study.base_photo_id for study in found)
    golden = {
        photo.photo_id
        for photo in world.rows
        if isinstance(photo, Photo) and photo.product_id.startswith("golden")
    }
    assert (
        "a" * 64 in bases
        and "b" * 64 not in bases
        and golden
        and not golden & set(bases)
    )
    assert max(bases.values()) - min(bases.values()) <= 1, "studied in turn"


def test_the_cap_is_shared_out(run_synthesize: Callable) -> None:
    outcome = run_synthesize(target=40, max_rows=30, photo_share=0)
    assert outcome.rows_out == 30
    assert [cell["made"] for cell in outcome.figures["cells"].values()] == [10, 10, 10]
    assert {cell["shortfall"] for cell in outcome.figures["cells"].values()} == {
        "max_rows"
    }


def test_without_a_niche_every_category_is_filled(run_synthesize: Callable) -> None:
    outcome = run_synthesize(niche=(), target=60, max_rows=24, photo_share=0)
    assert {row.category for row in of(outcome, Review)} == {
        "Teapots",
        "Lamps",
        "Clocks",
        "Mirrors",
    }


def test_failing_rows_are_quarantined_with_their_photo(
    run_synthesize: Callable, monkeypatch
) -> None:
    plain = run_synthesize()
    bad = next(row for row in of(plain, Review) if row.photo_id)
    monkeypatch.setattr(
        "kindling.stages.synthesize.check",
        lambda rows, suite: [Rejection(bad.review_id, f"quality:{suite}")],
    )
    outcome = run_synthesize()
    assert outcome.rows_out == plain.rows_out - 1
    assert Rejection(bad.review_id, "quality:synthesize") in outcome.rejections
    assert bad.photo_id not in {photo.photo_id for photo in of(outcome, Photo)}
    assert bad.review_id not in {one.review_id for one in of(outcome, Synthesis)}


def test_a_category_only_on_golden_pages_is_left_alone(
    world, run_synthesize: Callable
) -> None:
    gone = {f"Teapots-{n}" for n in range(5)}
    rows = [row for row in world.rows if getattr(row, "product_id", "") not in gone]
    outcome = run_synthesize(rows, niche=("Teapots",))
    assert outcome.rows_out == 0
    assert {cell["shortfall"] for cell in outcome.figures["cells"].values()} == {
        "no product of the category outside the golden split"
    }
    with_product = [*rows, Product("Teapots-new", "Fine teapot", "Teapots", "")]
    assert run_synthesize(with_product, niche=("Teapots",), target=10).rows_out == 30


def test_no_train_row_is_an_error(world, run_synthesize: Callable) -> None:
    with pytest.raises(DataError, match="no kept review in the train split"):
        run_synthesize(
            [row for row in world.rows if not isinstance(row, DedupeDecision)]
        )


def test_an_unknown_niche_is_refused_with_the_one_that_was_meant(
    run_synthesize: Callable,
) -> None:
    with pytest.raises(ConfigurationError, match="did you mean 'Teapots'") as error:
        run_synthesize(niche=("teapots",))
    assert "known: Clocks, Lamps, Mirrors, Teapots" in str(error.value)


def test_an_edit_that_cannot_be_seen_is_no_label(
    world, run_synthesize: Callable, monkeypatch
) -> None:
    """Its row keeps the text, its photo is refused with the reason, and no study shows it."""
    monkeypatch.setattr("kindling.synthesis.drawing.changed_share", lambda *_: 0.0)
    outcome = run_synthesize(niche=("Teapots",))
    refused = [one for one in outcome.rejections if one.reason == "invisible"]
    assert {photo.condition for photo in of(outcome, Photo)} == {"intact"}
    assert refused and not of(outcome, Study)
    assert outcome.figures["edits_invisible"] == len(refused)
    negative = [one for one in of(outcome, Synthesis) if one.sentiment == "negative"]
    assert negative and not any(one.condition for one in negative)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"writer": "monkey"}, "unknown writer 'monkey'; known: .*recombination"),
        ({"editor_options": {"sise": 9}}, "sise: .*keys of editor drawn: size"),
    ],
)
def test_a_recipe_names_only_what_there_is(fields: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        SynthesizeConfig(**fields)
