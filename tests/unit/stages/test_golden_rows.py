"""Golden rows as the evaluation parts them, and what models saw of them before."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from kindling.errors import DataError
from kindling.evaluation.training_rows import TrainingRows
from kindling.records import Example
from kindling.stages.golden import parted, pinned, seen_by, training_rows
from kindling.stores.memory import MemoryObjects

SHORT = 10


def golden(products: int = 30, each: int = 4) -> list[Example]:
    return [
        Example(
            f"r{product}-{at}",
            f"p{product}",
            "Vases",
            f"review number {at} of the product {product}",
            "positive",
            5,
            "scraped",
            "golden",
            photo_id=f"photo-{product}" if at == 0 else None,
            photo_uri=f"memory://photo-{product}" if at == 0 else None,
        )
        for product in range(products)
        for at in range(each)
    ]


@pytest.fixture
def objects() -> MemoryObjects:
    store = MemoryObjects()
    for product in range(30):
        store.put_named(f"photo-{product}", f"bytes {product}".encode())
    return store


def test_every_row_is_read_by_the_gate_or_sealed_with_its_own_photo(
    objects: MemoryObjects,
) -> None:
    asked, hidden = parted(golden(), (), objects)
    assert len(hidden.rows) == 40 and len(asked.rows) == 80
    assert sorted([*asked.rows, *hidden.rows], key=lambda one: one.review_id) == sorted(
        golden(), key=lambda one: one.review_id
    )
    for part in (asked, hidden):
        for row, photo in zip(part.rows, part.photos, strict=True):
            expected = f"bytes {row.product_id[1:]}".encode() if row.photo_id else None
            assert photo == expected
        assert len(part.pictured) == len(part.rows) / 4


def test_few_products_are_all_the_gates(objects: MemoryObjects) -> None:
    asked, hidden = parted(golden(products=6), (), objects)
    assert len(asked.rows) == 24 and hidden.rows == []


def test_a_text_retyped_or_a_photo_shared_was_seen() -> None:
    rows = golden(products=3)
    trained = training_rows(
        [replace(rows[0], text=f"{rows[0].text.upper()}!", photo_id="other"), rows[8]],
        SHORT,
    )
    assert np.flatnonzero(seen_by(trained, rows)).tolist() == [0, 8]
    copied = replace(rows[4], text="else", photo_id="other")
    assert seen_by(trained, [copied]).all()
    assert not seen_by(None, rows).any()


def test_a_short_text_is_no_evidence() -> None:
    row = replace(golden()[1], text="Love it")
    assert not seen_by(training_rows([row], SHORT), [row]).any()
    assert seen_by(training_rows([row], 3), [row]).all()


class ShelfOf:
    """A shelf on which only some versions can be loaded."""

    def __init__(self, *versions: str) -> None:
        self._versions = versions

    def model(self, version: str) -> str:
        if version not in self._versions:
            raise DataError(f"version {version}: of another format")
        return version


@pytest.mark.parametrize(
    ("known", "champion", "shelf", "expected"),
    [
        (None, None, ShelfOf("3"), "3"),
        (None, "2", ShelfOf("2", "3"), "2"),
        ("1", "2", ShelfOf("1", "2", "3"), "1"),
        ("1", "2", ShelfOf("2", "3"), "2"),
        ("1", None, ShelfOf("3"), "3"),
    ],
)
def test_the_reference_stays_pinned_as_long_as_it_can_be_asked(
    known: str | None, champion: str | None, shelf: ShelfOf, expected: str
) -> None:
    assert pinned(known, champion, "3", shelf) == expected


def test_rows_are_found_again_after_they_lay_in_a_folder(tmp_path: Path) -> None:
    rows = golden(products=2)
    training_rows(rows[:3], SHORT).write(tmp_path)
    found = seen_by(TrainingRows.read(tmp_path), rows)
    assert found[:3].all() and not found[4:].any()
