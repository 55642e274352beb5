"""A catalogue folder is there as a whole or not at all, and a damaged one is refused by name."""

import errno
import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from shop.errors import BadInput
from shop.reading import MANIFEST, load
from shop.records import Contents, Manifest, Product, Review, Truth
from shop.writing import write

MANIFEST_OF = Manifest("tiny", 1, "", "code", "")


def tiny(photo: bytes = b"jpeg") -> Contents:
    review = Review(
        "r1",
        "p1",
        'A "title"',
        "line\r\n\u2028 <b> & 😍",
        5,
        "Ada K.",
        "2026-01-02",
        "r1.jpg",
    )
    return Contents(
        [Product("p1", "Mug <1>", "Mugs", "Brand", 9.9, "A mug", ("p1.jpg",))],
        [review, Review("r2", "p1", "", "", 1, "Bo", "2026-03-04")],
        [
            Truth("r1", "positive", "intact", "p1.jpg", agrees=True),
            Truth("r2", "negative"),
        ],
        {"p1.jpg": lambda: b"base", "r1.jpg": lambda: photo},
        ("Mugs",),
        "a note",
    )


@pytest.fixture
def made(tmp_path: Path) -> Path:
    out = tmp_path / "catalogue"
    assert write(out, MANIFEST_OF, tiny)
    return out


def test_what_is_written_is_read_back(made: Path) -> None:
    catalogue, expected = load(made), tiny()
    assert list(catalogue.products.values()) == expected.products
    assert list(catalogue.reviews) == expected.reviews
    assert list(catalogue.truths.values()) == expected.truths
    assert catalogue.photos == {"p1.jpg": b"base", "r1.jpg": b"jpeg"}
    assert catalogue.manifest.counts == {
        "products": 1,
        "reviews": 2,
        "photos": 2,
        "review_photos": 1,
    }
    assert [review.review_id for review in catalogue.reviews_of["p1"]] == [
        "r2",
        "r1",
    ]  # newest first


def test_making_the_same_again_does_nothing(made: Path) -> None:
    before = (made / MANIFEST).stat()
    assert not write(made, MANIFEST_OF, lambda: pytest.fail("made again"))
    assert (made / MANIFEST).stat() == before


@pytest.mark.parametrize(
    "change",
    [{"seed": 2}, {"kind": "other"}, {"data_sha256": "x"}, {"code_sha256": "new"}],
)
def test_another_origin_replaces(made: Path, change: dict[str, object]) -> None:
    assert write(made, replace(MANIFEST_OF, **change), lambda: tiny(b"other"))
    assert load(made).photos["r1.jpg"] == b"other"
    assert os.listdir(made.parent) == [made.name]


def test_a_damaged_catalogue_is_made_anew(made: Path) -> None:
    (made / "photos" / "r1.jpg").write_bytes(b"rot")
    assert write(made, MANIFEST_OF, tiny)
    assert load(made).photos["r1.jpg"] == b"jpeg"


def test_leftovers_of_a_killed_maker_are_swept(tmp_path: Path) -> None:
    (tmp_path / ".catalogue.making" / "photos").mkdir(parents=True)
    write(tmp_path / "catalogue", MANIFEST_OF, tiny)
    assert os.listdir(tmp_path) == ["catalogue"]


def test_somebody_elses_folder_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("precious")
    with pytest.raises(BadInput, match="is no catalogue"):
        write(tmp_path, MANIFEST_OF, tiny)
    assert (tmp_path / "thesis.txt").read_text() == "precious"


def test_a_full_disk_leaves_what_was_there(made: Path) -> None:
    def full() -> bytes:
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(OSError, match="No space left"):
        write(
            made,
            replace(MANIFEST_OF, seed=2),
            lambda: replace(tiny(), photos={"p1.jpg": full}),
        )
    assert load(made).manifest.seed == 1
    assert os.listdir(made.parent) == [made.name]


DAMAGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "no folder": (lambda out: out.rename(out.with_name("gone")), "no catalogue here"),
    "no manifest": (lambda out: (out / MANIFEST).unlink(), "no catalogue here"),
    "manifest cut short": (
        lambda out: (out / MANIFEST).write_text('{"kind": "ti'),
        f"{MANIFEST}: damaged",
    ),
    "manifest of another shape": (
        lambda out: (out / MANIFEST).write_text("[1]"),
        f"{MANIFEST}: damaged",
    ),
    "photo missing": (
        lambda out: (out / "photos" / "r1.jpg").unlink(),
        r"photos/r1\.jpg: cannot be read",
    ),
    "photo changed": (
        lambda out: (out / "photos" / "r1.jpg").write_bytes(b"x"),
        r"photos/r1\.jpg: damaged",
    ),
    "reviews changed": (
        lambda out: (out / "reviews.jsonl").open("a").write("{}\n"),
        r"reviews\.jsonl: damaged",
    ),
}


@pytest.mark.parametrize("case", DAMAGES)
def test_damage_is_refused_with_the_path(made: Path, case: str) -> None:
    do_damage, message = DAMAGES[case]
    do_damage(made)
    with pytest.raises(BadInput, match=message) as caught:
        load(made)
    assert str(made) in str(caught.value)


def test_a_photo_that_no_list_knows_is_refused(tmp_path: Path) -> None:
    contents = tiny()
    write(
        tmp_path / "c",
        MANIFEST_OF,
        lambda: replace(contents, photos={"p1.jpg": contents.photos["p1.jpg"]}),
    )
    with pytest.raises(BadInput, match=r"r1\.jpg.* is not listed"):
        load(tmp_path / "c")
    assert "r1.jpg" not in json.loads((tmp_path / "c" / MANIFEST).read_text())["sha256"]
