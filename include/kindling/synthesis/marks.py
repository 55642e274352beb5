"""The mark inside every generated file that says it is generated, and the check that exports use.

A JPEG carries it as EXIF (`Software`, `ImageDescription`) and as a comment, a PNG as text chunks,
both in the vocabulary of IPTC's digital source type, so that other tools understand it. A review
carries it in its own fields: id, origin and method.
"""

import io
import json
from collections.abc import Iterable, Mapping
from typing import Any

from PIL import Image, PngImagePlugin, UnidentifiedImageError

from kindling.errors import DataError
from kindling.records import Review

#: IPTC's term for media made by an algorithm from real media.
SOURCE_TYPE = "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia"
#: The same where no trained model had a part in it.
DRAWN_TYPE = "http://cv.iptc.org/newscodes/digitalsourcetype/compositeSynthetic"
_SIGN = "kindling-synthetic"
_SOFTWARE = 0x0131
_DESCRIPTION = 0x010E
#: How every generated review's id begins.
ID_PREFIX = "syn-"


def mark(method: str, condition: str, source_type: str = DRAWN_TYPE) -> str:
    """The mark's text: one JSON object."""
    return json.dumps(
        {
            "mark": _SIGN,
            "method": method,
            "condition": condition,
            "digital_source_type": source_type,
        },
        sort_keys=True,
    )


def marked_jpeg(
    image: Image.Image,
    method: str,
    condition: str,
    quality: int,
    source_type: str = DRAWN_TYPE,
) -> bytes:
    """The image as a JPEG that carries the mark twice."""
    text = mark(method, condition, source_type)
    exif = Image.Exif()
    exif[_SOFTWARE] = f"{_SIGN} {method}"
    exif[_DESCRIPTION] = text
    out = io.BytesIO()
    image.save(out, "JPEG", quality=quality, exif=exif, comment=text.encode())
    return out.getvalue()


def marked_png(
    image: Image.Image, method: str, condition: str, source_type: str = DRAWN_TYPE
) -> bytes:
    """The image as a PNG that carries the mark."""
    chunks = PngImagePlugin.PngInfo()
    chunks.add_text("Software", f"{_SIGN} {method}")
    chunks.add_text("Comment", mark(method, condition, source_type))
    out = io.BytesIO()
    image.save(out, "PNG", pnginfo=chunks)
    return out.getvalue()


def photo_mark(data: bytes) -> Mapping[str, Any] | None:
    """The mark inside an encoded image, or None; DataError when the bytes are no image."""
    try:
        with Image.open(io.BytesIO(data)) as image:
            found = [
                image.getexif().get(_DESCRIPTION),
                image.info.get("comment"),
                image.info.get("Comment"),
            ]
    except (UnidentifiedImageError, OSError) as error:
        raise DataError(f"a photo cannot be read as an image: {error}") from error
    for text in found:
        parsed = _parsed(text)
        if parsed is not None:
            return parsed
    return None


def review_marked(review: Review) -> bool:
    """Whether the row itself says that it is generated: by id, origin and method."""
    return (
        review.origin == "synthetic"
        and review.review_id.startswith(ID_PREFIX)
        and bool(review.extractor)
    )


def unmarked(
    reviews: Iterable[Review], photos: Iterable[tuple[str, bytes]]
) -> list[str]:
    """What an export of generated rows must refuse: ids of reviews and photos without their mark."""
    return [
        *(one.review_id for one in reviews if not review_marked(one)),
        *(photo_id for photo_id, data in photos if photo_mark(data) is None),
    ]


def generated(reviews: Iterable[Review]) -> list[str]:
    """What an export of real rows must refuse: ids of reviews that carry any part of the mark."""
    return [
        one.review_id
        for one in reviews
        if one.origin == "synthetic" or one.review_id.startswith(ID_PREFIX)
    ]


def _parsed(text: Any) -> Mapping[str, Any] | None:
    if isinstance(text, bytes):
        text = text.decode("utf-8", "replace")
    if not isinstance(text, str) or _SIGN not in text:
        return None
    try:
        parsed = json.loads(text.strip("\0 "))
    except ValueError:
        return None
    return parsed if isinstance(parsed, dict) else None
