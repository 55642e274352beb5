"""Generated photos and reviews say so in themselves, and an export can tell those that do not."""

import io
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from kindling.errors import DataError
from kindling.records import CONDITIONS, Review
from kindling.synthesis.drawing import DrawnConditions
from kindling.synthesis.marks import (
    DRAWN_TYPE,
    generated,
    marked_png,
    photo_mark,
    review_marked,
    unmarked,
)

SYNTHETIC = Review("syn-1", "p", "Lamps", "", "b", 5, "synthetic", extractor="w/1")
REAL = Review("r1", "p", "Lamps", "", "b", 5, "scraped", extractor="json-ld")


@pytest.mark.parametrize("condition", CONDITIONS)
def test_every_drawn_photo_carries_its_mark(
    condition: str, thing: Callable[..., bytes]
) -> None:
    edited = DrawnConditions(96).edit(thing(1), condition, np.random.default_rng(1))
    mark = photo_mark(edited.data)
    assert mark is not None
    assert (mark["condition"], mark["digital_source_type"]) == (condition, DRAWN_TYPE)


def test_a_png_carries_it_in_its_text_chunks() -> None:
    data = marked_png(Image.new("RGB", (8, 8)), "m/1", "torn")
    mark = photo_mark(data)
    assert mark and mark["method"] == "m/1"


def test_one_of_the_two_places_in_a_jpeg_is_enough(
    thing: Callable[..., bytes],
) -> None:
    edited = DrawnConditions(96).edit(thing(1), "torn", np.random.default_rng(1))
    image = Image.open(io.BytesIO(edited.data))
    for kept in ({"exif": image.getexif()}, {"comment": image.info["comment"]}):
        out = io.BytesIO()
        Image.open(io.BytesIO(edited.data)).convert("RGB").save(out, "JPEG", **kept)
        assert photo_mark(out.getvalue())


def test_an_export_of_generated_rows_refuses_what_lost_its_mark(
    thing: Callable[..., bytes],
) -> None:
    edited = DrawnConditions(96).edit(thing(1), "torn", np.random.default_rng(1))
    stripped = io.BytesIO()
    image = Image.open(io.BytesIO(edited.data)).convert("RGB")
    image.info.clear()
    image.save(stripped, "PNG")
    photos = [("marked", edited.data), ("stripped", stripped.getvalue())]
    rows = [SYNTHETIC, replace(SYNTHETIC, review_id="x"), REAL]
    assert unmarked(rows, photos) == ["x", "r1", "stripped"]
    assert review_marked(SYNTHETIC) and not review_marked(REAL)


def test_an_export_of_real_rows_refuses_what_carries_any_part_of_a_mark() -> None:
    disguised = replace(SYNTHETIC, origin="scraped")
    assert generated([REAL, SYNTHETIC, disguised]) == ["syn-1", "syn-1"]


def test_a_photo_of_a_camera_has_no_mark_and_noise_is_an_error(
    thing: Callable[..., bytes],
) -> None:
    assert photo_mark(thing(1)) is None
    with pytest.raises(DataError, match="cannot be read"):
        photo_mark(b"no image")
