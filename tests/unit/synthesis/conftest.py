"""A shop of the tests' own: reviews by grammar in four categories, photos of drawn things, stores in memory."""

import hashlib
import io
from collections.abc import Callable
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image, ImageDraw

from kindling.recipe import Recipe, SynthesizeConfig
from kindling.records import (
    DedupeDecision,
    Photo,
    PhotoDecision,
    Product,
    Review,
    StageReport,
)
from kindling.stages.contract import Context, Shard
from kindling.stages.view import Earlier, RunView
from kindling.stores.memory import MemoryRows

#: category -> product noun, parts that only it has.
KINDS = {
    "Teapots": ("teapot", ("spout", "lid")),
    "Lamps": ("lamp", ("bulb", "shade")),
    "Clocks": ("clock", ("dial", "pendulum")),
    "Mirrors": ("mirror", ("frame", "bevel")),
}
GOOD = (
    "lovely",
    "solid",
    "elegant",
    "perfect",
    "wonderful",
    "superb",
    "charming",
    "brilliant",
)
BAD = (
    "flimsy",
    "ugly",
    "useless",
    "crooked",
    "awful",
    "shoddy",
    "disappointing",
    "dreadful",
)
WHO = (
    "my sister",
    "my neighbour",
    "our guests",
    "the whole family",
    "my husband",
    "a friend",
)
WHEN = (
    "on Monday",
    "after two weeks",
    "in the morning",
    "last spring",
    "within days",
    "for a birthday",
)
PLACE = (
    "the kitchen",
    "the hallway",
    "my office",
    "the guest room",
    "our cottage",
    "the study",
)


def _sentence(
    rng: np.random.Generator, noun: str, parts: tuple[str, ...], good: bool
) -> str:
    word, other = rng.choice(GOOD if good else BAD, 2, replace=False)
    who, when, place = rng.choice(WHO), rng.choice(WHEN), rng.choice(PLACE)
    praise = [
        f"I love this {noun} because it looks {word} in {place}.",
        f"The colour is {word} and {other}.",
        f"{who.capitalize()} said it was {word} {when}.",
        f"The {noun} arrived {when} and is {word}!",
        f"The {rng.choice(parts)} works well and feels {word}.",
        f"I would buy this again for {place} {when}.",
    ]
    complaint = [
        f"I returned this {noun} because it looked {word} in {place}.",
        f"The colour is {word} and {other}.",
        f"{who.capitalize()} called it {word} {when}.",
        f"The {noun} broke {when} and is {word}.",
        f"The {rng.choice(parts)} does not work and feels {word}.",
        f"I want my money back for {place} {when}.",
    ]
    plain = [
        f"It stands in {place} and {who} uses it {when}.",
        f"I bought it for {who} {when}.",
    ]
    return str(
        rng.choice(plain if rng.random() < 0.2 else praise if good else complaint)
    )


def grammar_reviews(
    count: int, seed: int, prefix: str = "r", categories: tuple[str, ...] = tuple(KINDS)
) -> list[Review]:
    """Reviews of three to six sentences; three stars mix praise with complaints."""
    rng = np.random.default_rng(seed)
    rows = []
    for number in range(count):
        category = categories[number % len(categories)]
        noun, parts = KINDS[category]
        rating = (5, 1, 4, 3, 2, 5)[number // len(categories) % 6]
        body = " ".join(
            _sentence(
                rng, noun, parts, good=rating > 3 or (rating == 3 and index % 2 == 0)
            )
            for index in range(rng.integers(3, 7))
        )
        rows.append(
            Review(
                f"{prefix}{number:04d}",
                f"{category}-{number // len(categories) % 5}",
                category,
                f"{rng.choice(GOOD if rating > 3 else BAD)} thing"
                if rating != 3 and rng.random() < 0.6
                else "",
                body,
                rating,
                "scraped",
            )
        )
    return rows


@pytest.fixture(scope="session")
def corpus() -> list[Review]:
    """480 train reviews, of which teapots are the smallest part."""
    return grammar_reviews(
        440, 1, categories=("Lamps", "Clocks", "Mirrors")
    ) + grammar_reviews(40, 2, "t", ("Teapots",))


@pytest.fixture(scope="session")
def held_out() -> list[Review]:
    """600 reviews that no writer has seen."""
    return grammar_reviews(600, 99, "h")


@pytest.fixture(scope="session")
def products() -> list[Product]:
    return [
        Product(f"{category}-{n}", f"Fine {noun}", category, "")
        for category, (noun, _) in KINDS.items()
        for n in range(5)
    ]


@pytest.fixture(scope="session")
def thing() -> Callable[..., bytes]:
    """A photo of a drawn thing on a plain ground, as PNG."""

    def make(seed: int, size: tuple[int, int] = (160, 200)) -> bytes:
        rng = np.random.default_rng(seed)
        ground, body, spot = (
            tuple(int(v) for v in rng.integers(low, high, 3))
            for low, high in ((200, 250), (60, 150), (30, 60))
        )
        image = Image.new("RGB", size, ground)
        draw = ImageDraw.Draw(image)
        w, h = size
        draw.rectangle((w * 0.25, h * 0.2, w * 0.75, h * 0.85), body)
        draw.ellipse((w * 0.42, h * 0.3, w * 0.58, h * 0.42), spot)
        out = io.BytesIO()
        image.save(out, "PNG")
        return out.getvalue()

    return make


class Objects:
    """ObjectStore in memory."""

    def __init__(self) -> None:
        self.content: dict[str, bytes] = {}

    def put(self, data: bytes, suffix: str) -> str:
        uri = f"memory://{hashlib.sha256(data).hexdigest()}{suffix}"
        self.content[uri] = data
        return uri

    def get(self, uri: str) -> bytes:
        return self.content[uri]


@pytest.fixture
def world(
    corpus: list[Review],
    held_out: list[Review],
    products: list[Product],
    thing: Callable[..., bytes],
):
    """Rows after dedupe: `corpus` in train, some of `held_out` golden, a photo for every product of both."""
    objects = Objects()
    golden = [
        Review(**{**vars(row), "product_id": f"golden-{row.category}"})
        for row in held_out[:60]
    ]
    photos = []
    for number, product_id in enumerate(
        sorted({row.product_id for row in corpus + golden})
    ):
        data = thing(number)
        photos.append(
            Photo(
                hashlib.sha256(data).hexdigest(),
                product_id,
                "product",
                "scraped",
                objects.put(data, ".png"),
                160,
                200,
            )
        )
    decisions = [
        DedupeDecision(row.review_id, row.review_id, True, "unique", 1.0, split)
        for rows, split in ((corpus, "train"), (golden, "golden"))
        for row in rows
    ]
    usable = [
        PhotoDecision(one.photo_id, not one.product_id.startswith("golden"), "free")
        for one in photos
    ]
    on_sale = products + [
        Product(f"golden-{category}", "", category, "") for category in KINDS
    ]
    return SimpleNamespace(
        objects=objects, rows=[*corpus, *golden, *photos, *usable, *decisions, *on_sale]
    )


@pytest.fixture
def run_synthesize(world) -> Callable[..., object]:
    """Runs the stage over the world's rows, or those given, with the configuration's fields as keywords."""
    from kindling.stages import synthesize

    def go(
        rows: list | None = None,
        niche: tuple[str, ...] = ("Teapots",),
        target: int = 30,
        seed: int = 7,
        llm: object = None,
        shard: Shard | None = None,
        **fields: object,
    ):
        store = MemoryRows()
        given = world.rows if rows is None else rows
        store.commit(StageReport("dedupe", "run", 0, 0), given, [])
        config = SynthesizeConfig(
            **{"editor_options": {"size": 96}, "studies": 4, **fields}
        )
        recipe = Recipe(
            name="test",
            summary="",
            sources=({"kind": "shop", "catalogue": "bundled-smoke"},),
            synthesize=config,
        )
        needs = SimpleNamespace(
            view=RunView(store, "run"),
            earlier=Earlier(store, "run"),
            objects=world.objects,
            threads=2,
            llm=llm,
        )
        context = Context("run", recipe, niche, target, seed, shard or Shard())
        return synthesize.run(config, context, needs)

    return go
