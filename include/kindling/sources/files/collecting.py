"""What files hold, told once for the showing before a run and for the run itself."""

import hashlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from kindling.errors import ConfigurationError, DataError
from kindling.ports.source import Haul, SourceTools
from kindling.records import Photo, Rejection, Review
from kindling.scraping.language import language_of
from kindling.sources.files import Options, tables, values
from kindling.sources.files.columns import Columns, recognise
from kindling.sources.files.lines import Unreadable
from kindling.sources.files.names import shape_of
from kindling.sources.files.photos import gather, is_address
from kindling.sources.files.rows import (
    Identity,
    Known,
    Reading,
    Rows,
    by_file,
    by_review,
    of_one_category,
    products_of,
    read,
    settle_ids,
)

#: Rows that columns, scales and the order of dates are told from.
SAMPLE_ROWS = 2_000
#: Products below which a holdout by product would be a coin's throw.
MIN_PRODUCTS = 12
_MAX_FILES = 10_000


@dataclass(frozen=True)
class Recognised:
    """One file, its columns and what is to be said of them."""

    file: str
    table: tables.Table
    columns: Columns
    shape: str
    best: float | None
    order: values.DateOrder


@dataclass
class Survey:
    """All that was read, before a photo is fetched."""

    files: list[Recognised] = field(default_factory=list)
    rows: Rows = field(default_factory=Rows)
    #: What a product is in the end, never `auto`.
    products: Identity = "column"
    #: Products that the columns name, before that.
    named_products: int = 0
    languages: Counter[str] = field(default_factory=Counter)

    @property
    def reviews(self) -> list[Review]:
        return list(self.rows.reviews.values())


@dataclass(frozen=True)
class Files:
    """Meets the port `Source`."""

    options: Options
    tools: SourceTools

    @property
    def path(self) -> Path:
        return Path(self.options.path)

    @property
    def name(self) -> str:
        return self.options.name or self.path.name

    def collect(self) -> Haul:
        """Every review that the files hold; DataError when they hold none."""
        survey = self.survey()
        if not survey.rows.reviews:
            raise DataError(f"{self.path}: {nothing_read(survey)}")
        wanted = _wanted(survey, self.options.max_photos)
        folder = Path(self.options.photos or self._root())
        stored, broken = gather(wanted, folder, self.tools.objects)
        reviews = [self._with_photo(one, survey, stored) for one in survey.reviews]
        return Haul(
            found=survey.rows.found,
            products=list(survey.rows.products.values()),
            photos=_photos(reviews, survey, stored),
            reviews=reviews,
            rejections=[*survey.rows.rejections, *broken],
            figures={
                "files": len(survey.files),
                "rows": survey.rows.found,
                "products_are": survey.products,
                "products_named": survey.named_products,
                "photos_named": len(wanted),
                "photos_stored": len(stored),
                "dates": sum(bool(one.published) for one in reviews),
                "languages": dict(survey.languages.most_common()),
                "personal_data_masked": dict(sorted(survey.rows.masked.items())),
            },
            implementation={"reader": "files, " + _shapes(survey)},
        )

    def survey(self) -> Survey:
        """Every file read to its end; ConfigurationError where there is none to read."""
        survey = Survey()
        for path in self._paths():
            self._recognise(path, survey)
        known: dict[str, Known] = {}
        for one in survey.files:
            if one.columns.holds == "products":
                reading = self._reading(one)
                known |= products_of(one.table.rows(), reading, survey.rows)
        for one in survey.files:
            if one.columns.holds == "reviews":
                read(
                    one.table.rows(),
                    self._reading(one),
                    known,
                    survey.rows,
                    self.options.max_rows,
                )
        settle_ids(survey.rows)
        self._tell_languages(survey)
        self._identify(survey)
        return survey

    def _paths(self) -> list[Path]:
        if self.path.is_file():
            return [self.path]
        if not self.path.is_dir():
            raise ConfigurationError(f"{self.path}: no such file or folder")
        found = sorted(
            path
            for path in self.path.rglob("*")
            if path.is_file()
            and tables.suffix_of(path)
            and not any(part.startswith(".") for part in path.parts)
        )
        if not found:
            raise ConfigurationError(
                f"{self.path}: no file in this folder ends in {', '.join(tables.SUFFIXES)}"
                " (each also with .gz)"
            )
        return found[:_MAX_FILES]

    def _root(self) -> Path:
        return self.path if self.path.is_dir() else self.path.parent

    def _recognise(self, path: Path, survey: Survey) -> None:
        file = path.relative_to(self._root()).as_posix()
        try:
            table = tables.table_of(path, self.options.delimiter, self.options.encoding)
        except Unreadable as error:
            survey.rows.found += 1
            survey.rows.refuse(file, 1, "unreadable_file", str(error))
            return
        except OSError as error:
            survey.rows.found += 1
            reason = error.strerror or type(error).__name__
            survey.rows.refuse(file, 1, "unreadable_file", reason)
            return
        sample = [row.cells for row in table.sample(SAMPLE_ROWS)]
        columns = recognise(table.names, sample, self.options.columns)
        cells = [columns.cell(row, "stars") for row in sample]
        dates = [columns.cell(row, "date") for row in sample]
        survey.files.append(
            Recognised(
                file,
                table,
                columns,
                shape_of(table.names),
                self.options.full_marks or values.best_of(cells),
                values.order_of(dates),
            )
        )
        if columns.holds == "neither":
            survey.rows.found += 1
            survey.rows.refuse(
                file, max(1, table.header), "columns_unknown", missing(columns)
            )

    def _reading(self, one: Recognised) -> Reading:
        with one.table.path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        return Reading(
            file=one.file,
            sha256=digest,
            kind=one.table.kind,
            columns=one.columns,
            best=one.best,
            order=one.order,
            named_stars=self.options.stars,
            category=self.options.category,
        )

    def _tell_languages(self, survey: Survey) -> None:
        found = survey.rows.reviews
        wanted = set(self.options.languages)
        told = {key: language_of(review.text) for key, review in found.items()}
        survey.languages.update(told.values())
        for key, language in told.items():
            # What is too short to tell is kept: nothing speaks against it.
            if wanted and language and language not in wanted:
                where = found.pop(key).source_url.removeprefix("file:")
                file, _, number = where.rpartition("#")
                survey.rows.refuse(file, int(number), "other_language", language)

    def _identify(self, survey: Survey) -> None:
        """Settle what a product is. The holdout is split by it, so there have to be several."""
        found = survey.rows
        used = {one.product_id for one in found.reviews.values()}
        found.products = {
            key: one for key, one in found.products.items() if key in used
        }
        # A row without a product is filed under its file, which names none.
        survey.named_products = len(used - {one.file for one in survey.files})
        wanted = self.options.products
        if wanted == "auto":
            wanted = "column" if len(used) >= MIN_PRODUCTS else "review"
        survey.products = wanted
        if wanted == "review":
            by_review(found)
        elif wanted == "file":
            by_file(found)
        of_one_category(found)

    def _with_photo(
        self, review: Review, survey: Survey, stored: Mapping[str, Any]
    ) -> Review:
        names = survey.rows.pictures.get(review.source_url, [])
        photo = next((stored[name] for name in names if name in stored), None)
        return replace(review, photo_id=photo.photo_id) if photo else review


def missing(columns: Columns) -> str:
    """Which of the two columns that a review needs was not found, and how to name it."""
    absent = [one for one in ("body", "stars") if one not in columns.by_meaning]
    words = {"body": "the review's text", "stars": "its stars"}
    return (
        f"no column is recognised as {' or as '.join(words[one] for one in absent)}; columns: "
        f"{', '.join(columns.unread) or 'none'}. The recipe can name it: columns: "
        f"{{{', '.join(f'{one}: …' for one in absent)}}}"
    )


def nothing_read(survey: Survey) -> str:
    """Why there is no review, by reason."""
    reasons = Counter(one.reason for one in survey.rows.rejections)
    first: dict[str, Rejection] = {}
    for one in survey.rows.rejections:
        first.setdefault(one.reason, one)
    told = [
        f"{reason} {count} (first: {first[reason].row_id} {first[reason].detail})"
        for reason, count in reasons.most_common(4)
    ]
    return f"no review could be read; refused: {'; '.join(told) or 'none'}"


def _shapes(survey: Survey) -> str:
    shapes = {one.shape or one.table.kind for one in survey.files}
    return ", ".join(sorted(shapes))


def _wanted(survey: Survey, limit: int) -> list[str]:
    """Names of the pictures, each review's first one before any second one."""
    lists = [survey.rows.pictures.get(one.source_url, []) for one in survey.reviews]
    firsts = dict.fromkeys(names[0] for names in lists if names)
    addresses = [name for name in firsts if is_address(name)]
    return [name for name in firsts if not is_address(name)] + addresses[:limit]


def _photos(
    reviews: list[Review], survey: Survey, stored: Mapping[str, Any]
) -> list[Photo]:
    by_id = {photo.photo_id: photo for photo in stored.values()}
    found: dict[str, Photo] = {}
    for review in reviews:
        photo = by_id.get(review.photo_id or "")
        if photo is not None:
            found.setdefault(
                photo.photo_id,
                Photo(
                    photo_id=photo.photo_id,
                    product_id=review.product_id,
                    kind="review",
                    origin="scraped",
                    uri=photo.uri,
                    width=photo.width,
                    height=photo.height,
                    source_url=photo.source_url,
                ),
            )
    return list(found.values())
