"""Rows of tables as products and reviews: one a key, everything else with its line and reason."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from kindling.records import Product, Rejection, Review
from kindling.scraping.clean import normalise
from kindling.scraping.findings import FoundReview
from kindling.scraping.identity import Candidate, settle
from kindling.scraping.rows import Place, review_of
from kindling.sources.files import values
from kindling.sources.files.columns import Columns
from kindling.sources.files.lines import Refused
from kindling.sources.files.tables import Row

Identity = Literal["column", "file", "review"]
#: A language that orders day and month as the column does.
_ORDERED: dict[values.DateOrder, str] = {
    "day first": "en-gb",
    "month first": "en-us",
    "unknown": "",
}


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
    #: Address of the row -> names of its pictures, in the order of the cell.
    pictures: dict[str, list[str]] = field(default_factory=dict)
    rejections: list[Rejection] = field(default_factory=list)
    #: Usable reviews before their ids are settled.
    candidates: list[Candidate] = field(default_factory=list)
    masked: Counter[str] = field(default_factory=Counter)

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
    stars = values.stars_of(cell("stars"), reading.best, reading.named_stars)
    stated_stars = values.text_of(cell("stars"))
    if stars is None and stated_stars:
        into.refuse(reading.file, row.number, "rating_unreadable", stated_stars[:80])
        return
    product = _product(cell, reading, known)
    where = f"file:{reading.file.replace('#', '_')}#{row.number}"
    stated = FoundReview(
        method="file",
        review_id=_short(cell("id")),
        title=values.text_of(cell("title")),
        body=values.text_of(cell("body")),
        rating=stars,
        published=values.text_of(cell("date")),
        extractor=reading.kind,
    )
    place = Place(
        row_id=f"{reading.file}:{row.number}",
        product_id=product.product_id,
        category=product.category,
        source_url=where,
        page_sha256=reading.sha256,
        language=_ORDERED[reading.order],
    )
    result = review_of(stated, place, into.masked)
    if isinstance(result, Rejection):
        into.rejections.append(result)
        return
    into.products.setdefault(product.product_id, product)
    into.pictures[where] = values.photos_of(cell("photo"))
    into.candidates.append(Candidate(result, place.row_id))


def settle_ids(rows: Rows) -> None:
    """Give every review an id that no other has, and refuse the second of two that are one."""
    reviews, duplicates = settle(rows.candidates)
    rows.reviews = {review.review_id: review for review in reviews}
    rows.rejections += duplicates


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


def of_one_category(rows: Rows) -> None:
    """Every product, and its reviews with it, is of the category that most of its reviews name."""
    named: dict[str, Counter[str]] = defaultdict(Counter)
    for review in rows.reviews.values():
        named[review.product_id][review.category] += 1
    chosen = {key: counts.most_common(1)[0][0] for key, counts in named.items()}
    rows.products = {
        key: replace(one, category=chosen.get(key, one.category))
        for key, one in rows.products.items()
    }
    rows.reviews = {
        key: replace(review, category=chosen[review.product_id])
        for key, review in rows.reviews.items()
    }


def _cells(row: Row, reading: Reading) -> Any:
    return lambda meaning: reading.columns.cell(row.cells, meaning)


def _short(cell: Any) -> str:
    if isinstance(cell, float) and cell.is_integer():
        cell = int(cell)  # Spreadsheets and pandas make 1078.0 of an id.
    return normalise(values.text_of(cell)[:1000])[:200]


def _line_of(review: Review) -> str:
    file, _, number = review.source_url.removeprefix("file:").rpartition("#")
    return f"{file}:{number}"
