"""Rows, photos and batch plans: what training reads before it learns anything."""

import io

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from kindling.errors import DataError
from kindling.modeling.compact.image_tower import damaged_places
from kindling.modeling.compact.image_training import (
    PLACE_LOSS,
    condition_loss,
    image_plan,
)
from kindling.modeling.compact.rows import Shots, as_reviews, as_shots, class_weights
from kindling.modeling.fitting import learning_rate_factor, length_bucketed_plan
from kindling.modeling.photos import decode
from kindling.records import CONDITIONS, Example, Study


def photo(
    colour: tuple[int, int, int],
    size: tuple[int, int] = (30, 20),
    kind: str = "PNG",
    **save: object,
) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", size, colour).save(buffer, kind, **save)
    return buffer.getvalue()


def example(number: int, **fields: object) -> Example:
    known = {
        "text": "soft",
        "sentiment": "positive",
        "rating": 5,
        "origin": "scraped",
        "split": "train",
    }
    return Example(
        review_id=f"r{number}", product_id="p", category="c", **{**known, **fields}
    )  # type: ignore[arg-type]


@given(
    st.lists(st.integers(1, 200), min_size=1, max_size=400),
    st.integers(2, 40),
    st.integers(1, 3),
    st.integers(0, 5),
)
def test_plan_holds_every_row_once_an_epoch(
    lengths: list[int], batch_size: int, epochs: int, seed: int
) -> None:
    plan = length_bucketed_plan(lengths, batch_size, epochs, seed)
    rows = np.concatenate(plan)
    assert np.array_equal(
        np.bincount(rows, minlength=len(lengths)), np.full(len(lengths), epochs)
    )
    assert max(len(batch) for batch in plan) <= batch_size
    again = length_bucketed_plan(lengths, batch_size, epochs, seed)
    assert all(
        np.array_equal(one, other) for one, other in zip(plan, again, strict=True)
    )


def test_batches_are_of_like_length() -> None:
    lengths = np.random.default_rng(0).integers(5, 128, 1600)
    spread = np.mean(
        [np.ptp(lengths[batch]) for batch in length_bucketed_plan(lengths, 32, 1, 0)]
    )
    assert spread < 10 < np.ptp(lengths)


@given(st.integers(1, 2000))
def test_learning_rate_warms_up_then_falls(steps: int) -> None:
    factors = [learning_rate_factor(step, steps) for step in range(steps)]
    peak = int(np.argmax(factors))
    assert all(0 < one <= 1 for one in factors)
    assert factors[: peak + 1] == sorted(factors[: peak + 1]) and factors[
        peak:
    ] == sorted(factors[peak:], reverse=True)


@given(
    st.lists(st.integers(0, 2), min_size=3).filter(lambda labels: len(set(labels)) == 3)
)
def test_class_weights_favour_the_rare_and_average_one(labels: list[int]) -> None:
    counts, weights = np.bincount(labels), class_weights(np.array(labels), 3)
    assert weights[np.array(labels)].mean() == pytest.approx(1, rel=1e-5)
    assert weights[counts.argmin()] == weights.max()


def test_an_absent_class_is_named() -> None:
    with pytest.raises(DataError, match="neutral"):
        class_weights(np.array([0, 2, 2]), 3)


def test_a_shared_photo_is_read_and_decoded_once() -> None:
    asked: list[str] = []

    def read(uri: str) -> bytes:
        asked.append(uri)
        return photo((250, 0, 0) if uri == "a" else (0, 0, 250))

    rows = as_reviews(
        [
            example(1, photo_uri="a"),
            example(2),
            example(3, photo_uri="b", condition="torn"),
            example(4, photo_uri="a"),
            example(5, condition="torn"),
        ],
        read,
        32,
    )
    assert sorted(asked) == ["a", "b"] and rows.pictures.shape == (2, 32, 32, 3)
    assert rows.pictured.tolist() == [0, 2, 3]
    first, second, third = rows.picture_of
    assert first == third != second
    assert rows.drawn.tolist() == [False, True, False]
    assert rows.pictures[second].mean((0, 1)).argmax() == 2


def study(name: str) -> Study:
    uris = {condition: f"{name}/{condition}" for condition in CONDITIONS}
    return Study(name, "p", "base", uris)


def test_studies_come_before_photos_of_known_condition_and_know_their_intact_shot() -> (
    None
):
    shade = {condition: 40 * (1 + at) for at, condition in enumerate(CONDITIONS)}

    def read(uri: str) -> bytes:
        name, condition = uri.split("/")
        return photo((shade[condition], 0, 250 if name == "b" else 0))

    shots = as_shots(
        [study("a"), study("b")],
        [
            example(1, photo_uri="r/torn", condition="torn"),
            example(2),
            example(3, photo_uri="r/intact"),
        ],
        read,
        32,
    )
    assert shots.studies == 2 and len(shots.pictures) == 9
    assert shots.conditions.tolist() == [*range(4), *range(4), CONDITIONS.index("torn")]
    rows = np.array([7, 2, 8])
    assert shots.studied(rows).tolist() == [True, True, False]
    intact = shots.intact(rows[:2])
    assert intact[:, 0, 0].tolist() == [[40, 0, 250], [40, 0, 0]]


@given(st.integers(0, 6), st.integers(0, 7), st.integers(4, 40), st.integers(0, 9))
def test_conditions_of_one_study_stay_together_in_the_plan(
    studies: int, others: int, batch_size: int, seed: int
) -> None:
    m = 4 * studies + others
    if not m:
        return
    shots = Shots(
        np.zeros((m, 8, 8, 3), dtype=np.uint8), np.zeros(m, dtype=np.int64), studies
    )
    plan = image_plan(shots, batch_size, epochs=2, seed=seed)
    order = np.concatenate(plan)
    assert max(len(batch) for batch in plan) <= batch_size
    for epoch in np.split(order, 2):
        assert sorted(epoch) == list(range(m))
        places = np.argsort(epoch)
        for first in range(0, 4 * studies, 4):
            assert np.diff(places[first : first + 4]).tolist() == [1, 1, 1]


def test_a_place_is_damaged_where_any_pixel_is_and_noise_is_no_damage() -> None:
    intact = np.full((2, 18, 18, 3), 100, dtype=np.uint8)
    pictures = intact + np.random.default_rng(0).integers(0, 20, intact.shape).astype(
        np.uint8
    )
    pictures[1, 5, 10, 2] = 30
    pictures[1, 17, 17] = 250
    found = damaged_places(pictures, intact)
    assert found.shape == (2, 3, 3) and np.argwhere(found.numpy()).tolist() == [
        [1, 0, 1],
        [1, 2, 2],
    ]


def test_places_without_an_intact_shot_are_not_judged() -> None:
    torch.manual_seed(0)
    condition, places, truth = (
        torch.randn(3, 4),
        torch.randn(3, 4, 2, 2),
        torch.tensor([1, 0, 3]),
    )
    damage = torch.zeros(3, 2, 2, dtype=torch.bool)
    damage[0, 0, 1] = True
    none = condition_loss(
        condition, places, truth, damage, torch.tensor([False, False, False])
    )
    one = condition_loss(
        condition, places, truth, damage, torch.tensor([True, False, False])
    )
    shown = torch.tensor([[0, 1], [0, 0]])
    assert float(one - none) == pytest.approx(
        PLACE_LOSS * float(torch.nn.functional.cross_entropy(places[:1], shown[None])),
        rel=1e-5,
    )


def test_rows_without_any_photo() -> None:
    rows = as_reviews([example(1)], lambda uri: b"", 32)
    assert rows.pictures.shape == (0, 32, 32, 3) and not len(rows.pictured)
    assert as_shots([], [example(1)], lambda uri: b"", 32).pictures.shape[0] == 0


def test_damaged_photo_is_named_by_its_uri() -> None:
    with pytest.raises(DataError, match=r"file:///x\.jpg.*cannot be read"):
        as_reviews(
            [example(1, photo_uri="file:///x.jpg")],
            lambda uri: photo((1, 2, 3), kind="JPEG")[:200],
            32,
        )


@pytest.mark.parametrize(
    "data", [b"", b"GIF89a", b"<svg></svg>", photo((1, 2, 3))[:-30]]
)
def test_what_is_no_picture_is_refused(data: bytes) -> None:
    with pytest.raises(DataError, match="cannot be read"):
        decode(data, 16)


def test_a_decompression_bomb_is_refused_unread() -> None:
    buffer = io.BytesIO()
    Image.new("1", (9000, 9000)).save(buffer, "PNG")
    with pytest.raises(DataError, match="9000 x 9000"):
        decode(buffer.getvalue(), 16)


def test_camera_orientation_is_applied() -> None:
    picture = Image.new("RGB", (40, 20), (0, 0, 0))
    picture.paste(
        (255, 255, 255), (0, 0, 20, 20)
    )  # White on the left; turned by the tag, white on top.
    exif = Image.Exif()
    exif[0x0112] = 6
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", exif=exif, quality=95)
    pixels = decode(buffer.getvalue(), 16).mean(2)
    assert pixels[:6].mean() > 200 and pixels[10:].mean() < 50


@pytest.mark.parametrize("mode", ["L", "P", "RGBA", "1", "CMYK"])
def test_every_colour_mode_becomes_rgb(mode: str) -> None:
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8), (200, 100, 50)).convert(mode).save(buffer, "TIFF")
    assert decode(buffer.getvalue(), 16).shape == (16, 16, 3)
