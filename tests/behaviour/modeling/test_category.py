"""Categories of photos: told apart, unknown where nothing fits, doubted where another is shown."""

import io
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image, ImageDraw

from kindling.errors import DataError
from kindling.modeling import categories, category
from kindling.modeling.checkpoint import Checkpoint
from kindling.modeling.small_network import Course, fit_network, network_logits
from kindling.records import Example
from kindling.stores.memory import MemoryObjects

KINDS = ("Plates", "Poles", "Boxes")


def picture(kind: str, rng: np.random.Generator, side: int = 128) -> np.ndarray:
    """uint8 [side, side, 3]: a disc, a thin bar or a square of any colour on any ground."""
    ground, main = (tuple(int(v) for v in rng.integers(60, 220, 3)) for _ in range(2))
    image = Image.new("RGB", (side, side), ground)
    pen = ImageDraw.Draw(image)
    unit = side / 128
    left = int(rng.integers(20, 40) * unit)
    if kind == "Plates":
        pen.ellipse((left, left, left + 70 * unit, left + 70 * unit), fill=main)
    elif kind == "Poles":
        pen.rectangle((left, 4 * unit, left + 8 * unit, 124 * unit), fill=main)
    else:
        pen.rectangle((left, left, left + 60 * unit, left + 60 * unit), fill=main)
    return np.asarray(image)


def drawn(n: int, seed: int, side: int = 128) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % len(KINDS)
    return np.stack([picture(KINDS[at], rng, side) for at in labels]), labels


def checkpoint() -> Checkpoint:
    return Checkpoint(MemoryObjects(), "category")


@pytest.fixture(scope="module")
def model() -> category.CategoryModel:
    seen, labels = drawn(150, 1)
    return category.fit_category(seen, labels, KINDS, Course(), checkpoint())


def test_few_photos_are_told_apart_by_the_published_eyes(
    model: category.CategoryModel,
) -> None:
    seen, labels = drawn(60, 2)
    guesses = model.top(seen, 2)
    right = [one.best == KINDS[at] for one, at in zip(guesses, labels, strict=True)]
    assert np.mean(right) > 0.85
    known = [one for one in guesses if one.categories]
    assert all(len(one.categories) == 2 for one in known)
    assert all(one.probabilities[0] >= one.probabilities[1] for one in known)


def test_a_logit_below_every_known_one_is_unknown(
    model: category.CategoryModel,
) -> None:
    strict = replace(model, least_logit=float("inf"))
    guess = strict.top(drawn(1, 3)[0])[0]
    assert guess.best == category.UNKNOWN and guess.probabilities == ()


def test_a_category_without_a_picture_is_named() -> None:
    seen, labels = drawn(9, 1)
    with pytest.raises(DataError, match="no picture shows Lamps"):
        category.fit_category(seen, labels, (*KINDS, "Lamps"), Course(), checkpoint())


def test_the_small_network_learns_and_goes_on_after_a_kill() -> None:
    seen, labels = drawn(240, 4, side=16)
    course = Course(epochs=6, batch_size=16)
    whole, fitted = fit_network(seen, labels, 3, course, checkpoint())
    assert fitted.last_loss < fitted.first_loss - 0.3
    fresh, truth = drawn(60, 5, side=16)
    assert (network_logits(whole, fresh).argmax(1) == truth).mean() > 0.8

    class Cut(Checkpoint):
        def save(self, state: dict) -> None:
            super().save(state)
            raise KeyboardInterrupt

    objects = MemoryObjects()
    with pytest.raises(KeyboardInterrupt):
        fit_network(seen, labels, 3, course, Cut(objects, "one", every=40))
    again, resumed = fit_network(
        seen, labels, 3, course, Checkpoint(objects, "one", every=40)
    )
    assert resumed.resumed_at == 40
    # To one step of bfloat16 near 1, which is what a machine computes in that has it.
    assert network_logits(again, fresh) == pytest.approx(
        network_logits(whole, fresh), abs=2**-7
    )


def test_a_photo_of_something_else_is_doubted() -> None:
    seen, labels = drawn(150, 6)
    # Four kinds, so that three guesses can miss one: the last is a copy of the ground alone.
    rng = np.random.default_rng(7)
    blank = np.stack(
        [np.full((128, 128, 3), rng.integers(0, 256, 3), np.uint8) for _ in range(50)]
    )
    pictures = np.concatenate([seen, blank])
    stated = [*(KINDS[at] for at in labels), *["Nothing"] * 50]
    stated[0] = "Nothing"
    found = category.agreement(pictures, stated, seed=0)
    assert found.photos == 200 and found.top_1 > 0.8
    assert [one.row for one in found.doubts] == [0]
    assert found.doubts[0].seems == "Plates"


def example(row: int, kind: str) -> Example:
    return Example(
        f"r{row}",
        f"p{row}",
        kind,
        "text",
        "positive",
        5,
        "scraped",
        "train",
        photo_id=f"photo-{row}",
        photo_uri=f"memory://photo-{row}",
    )


def test_the_report_names_reviews_and_says_why_it_did_not_look() -> None:
    seen, labels = drawn(90, 8)
    stored = {}
    for row, pixels in enumerate(seen):
        buffer = io.BytesIO()
        Image.fromarray(pixels).save(buffer, "PNG")
        stored[f"memory://photo-{row}"] = buffer.getvalue()
    examples = [example(row, KINDS[at]) for row, at in enumerate(labels)]
    told = categories.shown(examples, stored.__getitem__, seed=0)
    assert told["photos"] == 90 and told["categories"] == 3 and told["top_1"] > 0.8
    few = categories.shown(examples[:9], stored.__getitem__, seed=0)
    assert "two are needed" in few["skipped"]
