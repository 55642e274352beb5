"""Conditions are visible, stay on the item, and leave the rest of the scene as it was."""

from io import BytesIO

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from shop.chance import rng_for
from shop.errors import BadInput
from shop.photos.damage import damage
from shop.photos.pen import SIZE, Look
from shop.photos.scene import PHONE, STUDIO, photograph
from shop.photos.shapes import SHAPES
from shop.photos.shots import another_shot

DAMAGES = ("torn", "stained", "broken")


def _pixels(content: bytes) -> np.ndarray:
    return np.asarray(Image.open(BytesIO(content)), dtype=int)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("condition", DAMAGES)
def test_damage_shows_on_every_product(shape: str, condition: str) -> None:
    for number in range(4):
        look = Look.draw(shape, rng_for(1, shape, str(number)))
        intact, damaged = (
            _pixels(photograph(look, PHONE, state, rng_for(2, shape, str(number))))
            for state in ("intact", condition)
        )
        assert intact.shape == (SIZE, SIZE, 3)
        changed = (np.abs(intact - damaged).max(axis=2) > 25).mean()
        assert 0.002 < changed < 0.35, number


@given(
    seed=st.integers(0, 10_000),
    condition=st.sampled_from(DAMAGES),
    left=st.integers(20, 60),
    side=st.integers(30, 100),
)
@settings(max_examples=40, deadline=None)
def test_damage_stays_on_the_item(
    seed: int, condition: str, left: int, side: int
) -> None:
    picture = Image.new("RGB", (SIZE, SIZE), (120, 150, 180))
    item = Image.new("L", picture.size, 0)
    ImageDraw.Draw(item).rectangle((left, left, left + side, left + side), fill=255)
    behind = Image.new("RGB", picture.size, (10, 200, 10))
    after = damage(picture, item, behind, condition, np.random.default_rng(seed))
    changed = (np.asarray(after) != np.asarray(picture)).any(axis=2)
    assert changed.any()
    # A stain's edge is blurred: it may soak a few pixels beyond.
    around = np.zeros_like(changed)
    around[max(0, left - 4) : left + side + 5, max(0, left - 4) : left + side + 5] = (
        True
    )
    assert not (changed & ~around).any()


def test_an_intact_picture_is_left_alone() -> None:
    picture = Image.new("RGB", (32, 32))
    assert (
        damage(
            picture,
            Image.new("L", (32, 32)),
            picture,
            "intact",
            np.random.default_rng(0),
        )
        is picture
    )


def test_products_and_shots_differ() -> None:
    looks = [Look.draw("mug", rng_for(1, str(number))) for number in range(6)]
    studio = {photograph(look, STUDIO, "intact", rng_for(2, "same")) for look in looks}
    phone = {
        photograph(looks[0], PHONE, "intact", rng_for(3, str(number)))
        for number in range(6)
    }
    assert len(studio) == len(phone) == 6


@pytest.mark.parametrize("condition", DAMAGES)
def test_another_shot_of_a_real_photo(small_data, condition: str) -> None:
    content = (small_data / "clothing" / "photos" / "dress_0.jpg").read_bytes()
    intact, damaged, other = (
        _pixels(another_shot("dress_0.jpg", content, state, rng_for(seed, "shot")))
        for seed, state in ((1, "intact"), (1, condition), (2, "intact"))
    )
    assert max(intact.shape) <= 256
    assert intact.shape == damaged.shape
    assert (np.abs(intact - damaged).max(axis=2) > 25).mean() > 0.002
    assert other.shape != intact.shape or (other != intact).any()


def test_a_damaged_photo_is_named() -> None:
    with pytest.raises(BadInput, match=r"dress_0\.jpg"):
        another_shot(
            "dress_0.jpg", b"\xff\xd8\xff\xe0 not a photo", "intact", rng_for(1, "shot")
        )
