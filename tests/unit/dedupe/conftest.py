"""A small world for dedupe: long texts by grammar, photos by random shapes, stores in memory."""

import hashlib
import io
import itertools
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image, ImageDraw

from kindling.dedupe.placement import Membership
from kindling.recipe import DedupeConfig, Recipe
from kindling.records import Photo, Review, StageReport
from kindling.stages.contract import Context
from kindling.stages.view import Unsplit
from kindling.stores.bands_memory import MemoryBands
from kindling.stores.memory import MemoryObjects, MemoryRows, MemoryStanding

NOUNS = [
    "kettle",
    "lamp",
    "rug",
    "vase",
    "clock",
    "drawer",
    "mirror",
    "stool",
    "basket",
    "candle",
]
WORDS = (
    "sturdy",
    "handle",
    "arrived",
    "quickly",
    "packaging",
    "morning",
    "colour",
    "surface",
    "family",
    "friend",
    "expected",
    "corner",
    "polished",
    "weight",
    "kitchen",
    "garden",
    "present",
    "afternoon",
    "scratch",
    "price",
)


@pytest.fixture
def sentence() -> Callable[[int], str]:
    """Number -> a long text that shares few 5-grams with any other number's."""

    def make(number: int, words: int = 24) -> str:
        rng = np.random.default_rng(number)
        return " ".join(
            [
                str(rng.choice(NOUNS)),
                *(f"{rng.choice(WORDS)}{rng.integers(1000)}" for _ in range(words)),
            ]
        )

    return make


@pytest.fixture
def review() -> Callable[..., Review]:
    ids = itertools.count()

    def make(
        body: str,
        rating: int = 5,
        product: str = "p1",
        category: str = "Lamps",
        **fields: str,
    ) -> Review:
        review_id = fields.pop("review_id", f"r{next(ids):04d}")
        return Review(
            review_id,
            product,
            category,
            fields.pop("title", ""),
            body,
            rating,
            "scraped",
            **fields,
        )

    return make


@pytest.fixture
def jpeg() -> Callable[..., bytes]:
    def make(number: int, quality: int = 90, size: int = 96) -> bytes:
        rng = np.random.default_rng(number)
        image = Image.new("RGB", (96, 96), tuple(rng.integers(0, 256, 3).tolist()))
        for _ in range(12):
            x, y, w, h = rng.integers(0, 80, 4).tolist()
            ImageDraw.Draw(image).ellipse(
                (x, y, x + 8 + w // 2, y + 8 + h // 2),
                tuple(rng.integers(0, 256, 3).tolist()),
            )
        out = io.BytesIO()
        image.resize((size, size)).save(out, "JPEG", quality=quality)
        return out.getvalue()

    return make


@pytest.fixture
def photo(tmp_path: Path) -> Callable[..., Photo]:
    def make(data: bytes, product: str, kind: str = "review") -> Photo:
        photo_id = hashlib.sha256(data).hexdigest()
        (tmp_path / photo_id).write_bytes(data)
        return Photo(
            photo_id, product, kind, "scraped", str(tmp_path / photo_id), 96, 96
        )

    return make


@pytest.fixture
def run_dedupe() -> Callable[..., object]:
    """Runs the stage over rows given as a list, with the configuration's fields as keywords.

    With `known`, the splits of earlier nights, only its pure part.
    """
    from kindling.dedupe.photos import perceptual_hash
    from kindling.stages import dedupe

    bands: dict[int, MemoryBands] = {}

    def go(
        rows: list,
        niche: tuple[str, ...] = (),
        known: Membership | None = None,
        standing: MemoryStanding | None = None,
        night: str = "run",
        **fields: object,
    ):
        store = MemoryRows()
        store.commit(StageReport("scrape", "run", 0, 0), rows, [])
        config = DedupeConfig(**fields)
        unsplit = Unsplit(store, "run")
        if known is not None:
            hashes = {
                one.photo_id: perceptual_hash(one.photo_id, Path(one.uri).read_bytes())
                for one in unsplit.photos()
            }
            scraped = dedupe.Scraped(list(unsplit.words()), unsplit.photos(), hashes)
            return dedupe.decide(scraped, config, niche, known)
        memory = MemoryStanding() if standing is None else standing
        needs = SimpleNamespace(
            unsplit=unsplit,
            objects=SimpleNamespace(
                get=lambda uri: Path(uri).read_bytes(),
                put_named=MemoryObjects().put_named,
            ),
            standing=memory,
            # What outlives a run lives in two stores, together.
            bands=bands.setdefault(id(memory), MemoryBands()),
        )
        recipe = Recipe(
            name="test",
            summary="",
            sources=({"kind": "shop", "catalogue": "bundled-smoke"},),
            dedupe=config,
        )
        return dedupe.run(config, Context(night, recipe, niche, 10, 1), needs)

    return go
