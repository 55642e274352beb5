"""Several sources become one set of rows, and a product is one across them."""

from types import SimpleNamespace

import pytest

from kindling.errors import ConfigurationError, DataError
from kindling.observe.marks import hashed
from kindling.recipe import ScrapeConfig, SourceEntry
from kindling.records import Photo, Product, Review
from kindling.stages import scrape
from kindling.stages.contract import Shard
from kindling.stores.memory import (
    MemoryFrontier,
    MemoryObjects,
    MemoryTombstones,
)

from .conftest import HEADER, line

WHOLE = Shard()
NOTHING_BURIED = MemoryTombstones()


@pytest.fixture
def run(tmp_path):
    """The stage over files of these contents; each is one source, with these keys beside."""

    def go(*contents, niche=(), shard=WHOLE, keys=({}, {}, {}), tombstones=NOTHING_BURIED,
           frontier=None, **config):  # fmt: skip
        entries = []
        for number, (content, more) in enumerate(zip(contents, keys, strict=False)):
            path = tmp_path / f"file{number}.csv"
            path.write_text(content)
            entries.append(
                SourceEntry.model_validate({"kind": "files", "path": str(path), **more})
            )
        context = SimpleNamespace(
            seed=1, run_id="r", niche=niche, shard=shard,
            recipe=SimpleNamespace(sources=tuple(entries)),
        )  # fmt: skip
        needs = SimpleNamespace(
            objects=MemoryObjects(),
            standing=None,
            tombstones=tombstones,
            frontier=frontier,
            shop_url="",
            chromium=None,
            lightpanda=None,
            adviser=None,
        )
        return scrape.run(ScrapeConfig(**config), context, needs)

    return go


def reviews(*numbers: int, stars: tuple[int, int] = (1, 5)) -> str:
    return "\n".join([HEADER, *(line(n, stars=stars[n % 2]) for n in numbers)]) + "\n"


def test_a_class_with_too_few_reviews_is_named_with_what_it_takes(run):
    with pytest.raises(DataError, match="label 3 more of class neutral") as raised:
        run(reviews(*range(20)), min_per_class=3)
    assert "class negative" not in str(raised.value)
    part = Shard(0, 2)
    assert run(reviews(*range(20)), min_per_class=3, shard=part), (
        "another shard may have them"
    )


def of(outcome, kind):
    return [one for one in outcome.records if isinstance(one, kind)]


def test_a_second_source_leaves_the_first_ones_ids_as_they_are(run):
    alone = run(reviews(*range(20)))
    both = run(reviews(*range(20)), reviews(*range(20)))
    first = {one.review_id for one in of(alone, Review)}
    ids = {one.review_id for one in of(both, Review)}
    assert first < ids and len(ids) == 40
    assert {one.product_id for one in of(alone, Product)} < {
        one.product_id for one in of(both, Product)
    }
    assert all(one.startswith("file1.csv/") for one in ids - first)


def test_one_namespace_makes_one_product_of_two_sources(run):
    entries = ({"namespace": "shop"}, {"namespace": "shop"})
    outcome = run(reviews(*range(0, 20)), reviews(*range(10, 30)), keys=entries)
    assert len(of(outcome, Product)) == 15
    assert len(of(outcome, Review)) == 30
    assert [one.reason for one in outcome.rejections] == ["duplicate_id"] * 10


def test_figures_are_told_by_source(run):
    figures = run(reviews(*range(20)), reviews(*range(8))).figures
    assert figures["sources"]["file0.csv"]["reviews"] == 20
    assert figures["sources"]["file1.csv"]["reviews_found"] == 8
    assert figures["reviews_found"] == 28
    assert figures["products_not_reached"] == 0


def test_a_shard_collects_its_own_sources_under_the_same_ids(run):
    contents = (reviews(*range(20)), reviews(*range(8)))
    whole = {one.review_id for one in of(run(*contents), Review)}
    parts = [
        {one.review_id for one in of(run(*contents, shard=Shard(index, 2)), Review)}
        for index in (0, 1)
    ]
    assert parts[0] | parts[1] == whole and not parts[0] & parts[1]


def test_a_niche_that_is_spelt_otherwise_names_the_likely_one(run):
    with pytest.raises(
        ConfigurationError, match=r"'teapot' \(Teapots\?\)\. Categories: Teapots"
    ):
        run(reviews(*range(20)), niche=("teapot",))
    assert run(reviews(*range(20)), niche=("Teapots",)).rows_out == 20


def test_no_category_is_a_category(run):
    rows = "body,rating\n" + "".join(
        f"A text of some words {n},{n % 2 * 4 + 1}\n" for n in range(20)
    )
    outcome = run(rows)
    assert {one.category for one in of(outcome, Review)} == {"uncategorised"}
    assert not list(outcome.rejections)


def test_too_few_reviews_name_their_sources_and_reasons(run):
    with pytest.raises(
        DataError, match=r"file0.csv: 20 reviews after checks.*at least 50"
    ):
        run(reviews(*range(20)), min_reviews=50)


def test_photos_of_a_folder_are_stored_and_others_are_refused(run, tmp_path):
    from PIL import Image

    (tmp_path / "photos").mkdir()
    Image.new("RGB", (40, 30), "red").save(tmp_path / "photos/1.png")
    (tmp_path / "photos/2.png").write_bytes(b"no picture")
    (tmp_path.parent / "outside.png").write_bytes(b"secret")
    names = ["photos/1.png", "photos/2.png", "photos/3.png", "../outside.png"]
    rows = "body,rating,photo\n" + "".join(
        f"A text of some words {n},{n % 2 * 4 + 1},{name}\n"
        for n, name in enumerate(names)
    )
    outcome = run(rows)
    [photo] = of(outcome, Photo)
    assert (photo.width, photo.height, photo.kind) == (40, 30, "review")
    assert [one.photo_id for one in of(outcome, Review) if one.photo_id] == [
        photo.photo_id
    ]
    refused = {one.row_id: one.detail for one in outcome.rejections}
    assert (
        "does not decode" in refused["photos/2.png"]
        or "picture" in refused["photos/2.png"]
    )
    assert "No such file" in refused["photos/3.png"]
    assert "outside of the folder" in refused["../outside.png"]


def test_a_shard_beyond_the_last_source_has_nothing_to_do(run):
    outcome = run(reviews(*range(20)), shard=Shard(1, 2))
    assert (outcome.rows_in, outcome.rows_out, list(outcome.records)) == (0, 0, [])


def test_what_crawls_were_answered_goes_with_a_review_that_is_to_stay_forgotten(run):
    content = reviews(*range(30))
    frontier = MemoryFrontier()
    frontier.open("r", "crawl")
    frontier.add("crawl", ["page"])
    frontier.settle("crawl", {"page": b"words of all thirty"})
    [first, *_] = [
        one for one in run(content, frontier=frontier).records if type(one) is Review
    ]
    assert frontier.settled("crawl", ["page"]), "nothing was buried"
    buried = MemoryTombstones([hashed("review", first.review_id)])
    outcome = run(content, frontier=frontier, tombstones=buried)
    assert first.review_id not in {one.review_id for one in of(outcome, Review)}
    assert frontier.settled("crawl", ["page"]) == {}
