"""Reads the clothing data set; whatever is wrong with it is told with the path and what was expected."""

import csv
import gzip
import hashlib
import io
import re
import zlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, UnidentifiedImageError

from shop.errors import BadInput

REVIEW_COLUMNS = ("Clothing ID", "Title", "Review Text", "Rating", "Class Name")
PHOTO_COLUMNS = ("category", "file")
EXPECTED = "expected clothing/reviews.csv.gz, clothing/photos.csv and the photos it lists under --data"
PHOTO_NAME = re.compile(r"[\w-]+\.jpe?g")


@dataclass(frozen=True)
class SourceReview:
    """A row of reviews.csv.gz; title, body and class may be empty."""

    row: int
    clothing_id: str
    garment: str
    title: str
    body: str
    rating: int


@dataclass(frozen=True)
class SourcePhoto:
    name: str
    garment: str
    content: bytes


@dataclass(frozen=True)
class Source:
    reviews: tuple[SourceReview, ...]
    photos: tuple[SourcePhoto, ...]
    sha256: str


def read(data: Path) -> Source:
    """The data set under `data`/clothing, with the hash of all its bytes."""
    folder = data / "clothing"
    packed = _bytes(folder / "reviews.csv.gz")
    listing = _bytes(folder / "photos.csv")
    photos = tuple(
        _photo(folder, number, row)
        for number, row in _table(folder / "photos.csv", listing, PHOTO_COLUMNS)
    )
    try:
        unpacked = gzip.decompress(packed)
    except (OSError, EOFError, zlib.error) as error:
        raise BadInput(f"{folder / 'reviews.csv.gz'}: damaged gzip: {error}") from None
    table = _table(folder / "reviews.csv.gz", unpacked, REVIEW_COLUMNS)
    reviews = tuple(
        _review(folder / "reviews.csv.gz", number, row) for number, row in table
    )
    if not reviews:
        raise BadInput(f"{folder / 'reviews.csv.gz'}: holds no reviews")
    name, times = (
        Counter(photo.name for photo in photos).most_common(1)[0] if photos else ("", 0)
    )
    if times > 1:
        raise BadInput(f"{folder / 'photos.csv'}: {name} is listed {times} times")
    digest = hashlib.sha256(packed + listing)
    for photo in photos:
        digest.update(photo.content)
    return Source(reviews, photos, digest.hexdigest())


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise BadInput(
            f"{path}: cannot be read ({error.strerror}); {EXPECTED}"
        ) from None


def _table(
    path: Path, content: bytes, columns: tuple[str, ...]
) -> list[tuple[int, Mapping[str, str]]]:
    """Numbered rows, from 1; every one has the columns."""
    try:
        reader = csv.DictReader(io.StringIO(content.decode("utf-8-sig"), newline=""))
        rows = list(enumerate(reader, start=1))
    except (UnicodeDecodeError, csv.Error) as error:
        raise BadInput(f"{path}: not a UTF-8 CSV file: {error}") from None
    missing = [column for column in columns if column not in (reader.fieldnames or ())]
    if missing:
        raise BadInput(
            f"{path}: has no column {missing[0]!r}; expected {', '.join(columns)}"
        )
    for number, row in rows:
        if any(row[column] is None for column in columns):
            raise BadInput(f"{path}: row {number} is cut short")
    return rows


def _review(path: Path, number: int, row: Mapping[str, str]) -> SourceReview:
    if row["Rating"] not in ("1", "2", "3", "4", "5"):
        raise BadInput(
            f"{path}: row {number}: Rating is {row['Rating']!r}, expected 1 to 5"
        )
    if not re.fullmatch(r"\w+", row["Clothing ID"]):
        raise BadInput(
            f"{path}: row {number}: Clothing ID is {row['Clothing ID']!r}, expected letters and digits"
        )
    return SourceReview(
        number,
        row["Clothing ID"],
        row["Class Name"].strip(),
        row["Title"],
        row["Review Text"],
        int(row["Rating"]),
    )


def _photo(folder: Path, number: int, row: Mapping[str, str]) -> SourcePhoto:
    path = folder / row["file"]
    if not PHOTO_NAME.fullmatch(path.name) or ".." in path.parts:
        raise BadInput(
            f"{folder / 'photos.csv'}: row {number}: {row['file']!r} is no JPEG file under {folder}"
        )
    content = _bytes(path)
    try:
        with Image.open(io.BytesIO(content)) as picture:
            found = picture.format
    except UnidentifiedImageError:
        found = None
    if found != "JPEG":
        raise BadInput(f"{path}: damaged, not a JPEG; {EXPECTED}")
    return SourcePhoto(path.name, row["category"], content)
