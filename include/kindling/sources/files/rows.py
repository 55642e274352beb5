"""Rows of tables as products and reviews: one a key, everything else with its line and reason."""

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from kindling.records import Product, Rejection, Review
from kindling.scraping.clean import mask_personal_data, normalise
from kindling.sources.files import values
from kindling.sources.files.columns import Columns
from kindling.sources.files.lines import Refused
from kindling.sources.files.tables import Row

Identity = Literal["column", "file", "review"]
_LETTER = re.compile(r"\w")
_MAX_TEXT = 20_000


@dataclass(frozen=True)
class Known:
    """A product as a list of products has it."""

    name: str
    category: str
    photos: tuple[str, ...] = ()


@dataclass(frozen=True)
class Reading:
    """How the rows of one file are read."""

    #: The file's name below the folder that was given; rejections begin with it.
    file: str
    sha256: str
    kind: str
    columns: Columns
    best: float | None
    order: values.DateOrder
    named_stars: Mapping[str, int]
    #: For rows that name no category.
    category: str


@dataclass
class Rows:
    """What was read so far, over all files."""

    found: int = 0
    products: dict[str, Product] = field(default_factory=dict)
    reviews: dict[str, Review] = field(default_factory=dict)
    #: Review id -> names of its pictures, in the order of the cell.
    pictures: dict[str, list[str]] = field(default_factory=dict)
    rejections: list[Rejection] = field(default_factory=list)
    masked: Counter[str] = field(default_factory=Counter)
    dates: int = 0

    def refuse(self, file: str, number: int, reason: str, detail: str = "") -> None:
        self.rejections.append(Rejection(f"{file}:{number}", reason, detail[:500]))


def products_of(
    rows: Iterable[Row | Refused], reading: Reading, into: Rows
) -> dict[str, Known]:
    """The products that a list of products names, by id."""
    known: dict[str, Known] = {}
    for row in rows:
        if isinstance(row, Refused):
            into.refuse(reading.file, row.number, row.reason, row.detail)
            continue
        cell = _cells(row, reading)
        product_id = _short(cell("product_id"))
        if not product_id:
            into.refuse(reading.file, row.number, "no_product_id")
            continue
        known[product_id] = Known(
            _short(cell("product_name")),
            _short(values.category_of(cell("category"))),
            tuple(values.photos_of(cell("photo"))[:1]),
        )
    return known


def read(
    rows: Iterable[Row | Refused],
    reading: Reading,
    known: Mapping[str, Known],
    into: Rows,
    limit: int,
) -> None:
    """Add the reviews of one file, and the reason of every row that gives none."""
    for row in rows:
        if into.found >= limit:
            into.refuse(reading.file, row.number, "beyond_max_rows", f"{limit:,}")
            return
        into.found += 1
        if isinstance(row, Refused):
            into.refuse(reading.file, row.number, row.reason, row.detail)
            continue
        _add(row, reading, known, into)


def _add(row: Row, reading: Reading, known: Mapping[str, Known], into: Rows) -> None:
    cell = _cells(row, reading)
    title, body = values.text_of(cell("title")), values.text_of(cell("body"))
    if len(title) + len(body) > _MAX_TEXT:
        into.refuse(
            reading.file,
            row.number,
            "text_too_long",
            f"{len(title) + len(body):,} characters, at most {_MAX_TEXT:,} are read",
        )
        return
    title, body = normalise(title), normalise(body)
    if not _LETTER.search(title + body):
        into.refuse(reading.file, row.number, "empty_text")
        return
    stars = values.stars_of(cell("stars"), reading.best, reading.named_stars)
    if stars is None:
        stated = values.text_of(cell("stars"))
        reason = "rating_unreadable" if stated else "no_rating"
        into.refuse(reading.file, row.number, reason, stated[:80])
        return
    product = _product(cell, reading, known)
    native = _short(cell("id"))
    review_id = f"{product.product_id}/{native or _content(title, body)}"
    if review_id in into.reviews:
        reason = "duplicate_id" if native else "duplicate_row"
        into.refuse(
            reading.file,
            row.number,
            reason,
            f"the same review is in {_line_of(into.reviews[review_id])}",
        )
        return
    into.products.setdefault(product.product_id, product)
    clean = [mask_personal_data(text) for text in (title, body)]
    into.masked.update(clean[0].counts + clean[1].counts)
    published = values.date_of(cell("date"), reading.order)
    into.dates += bool(published)
    into.pictures[review_id] = values.photos_of(cell("photo"))
    into.reviews[review_id] = Review(
        review_id=review_id,
        product_id=product.product_id,
        category=product.category,
        title=clean[0].text,
        body=clean[1].text,
        rating=stars,
        origin="scraped",
        source_url=f"file:{reading.file.replace('#', '_')}#{row.number}",
        page_sha256=reading.sha256,
        extractor=reading.kind,
        published=published,
    )


def _product(cell: Any, reading: Reading, known: Mapping[str, Known]) -> Product:
    """The row's product: by id, else by name, else the file itself."""
    name = _short(cell("product_name"))
    product_id = _short(cell("product_id")) or name.casefold()
    listed = known.get(product_id)
    category = _short(values.category_of(cell("category")))
    if not product_id:
        product_id = name = reading.file
    return Product(
        product_id=product_id,
        name=name or (listed.name if listed else "") or product_id,
        category=category or (listed.category if listed else "") or reading.category,
        url=f"file:{reading.file.replace('#', '_')}",
    )


def by_review(rows: Rows) -> None:
    """Every review becomes a product of its own: for files that name too few products to split by."""
    names = {one.product_id: one for one in rows.products.values()}
    rows.products = {
        review.review_id: replace(names[review.product_id], product_id=review.review_id)
        for review in rows.reviews.values()
    }
    rows.reviews = {
        key: replace(review, product_id=key) for key, review in rows.reviews.items()
    }


def by_file(rows: Rows) -> None:
    """Every file becomes one product: for folders with one file a product."""
    names = dict(rows.products)
    rows.products = {}
    for key, review in list(rows.reviews.items()):
        file = _line_of(review).rpartition(":")[0]
        product = replace(names[review.product_id], product_id=file, name=file)
        rows.products.setdefault(file, product)
        rows.reviews[key] = replace(review, product_id=file)


def _cells(row: Row, reading: Reading) -> Any:
    return lambda meaning: reading.columns.cell(row.cells, meaning)


def _short(cell: Any) -> str:
    if isinstance(cell, float) and cell.is_integer():
        cell = int(cell)  # Spreadsheets and pandas make 1078.0 of an id.
    return normalise(values.text_of(cell)[:1000])[:200]


def _content(title: str, body: str) -> str:
    return hashlib.sha256(f"{title}\n{body}".encode()).hexdigest()[:16]


def _line_of(review: Review) -> str:
    file, _, number = review.source_url.removeprefix("file:").rpartition("#")
    return f"{file}:{number}"
