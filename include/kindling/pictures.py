"""Pictures from outside, read in one way by scraping, training, serving and all between.

What a model is trained on must be what it is asked about: the same formats, the same limit,
the same turning and the same background. A file is untrusted: its size is known before a pixel
is decoded, and whatever a decoder raises becomes a `PictureError`.
"""

import importlib.util
import io
import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from PIL import Image, features

from kindling.errors import DataError

#: What the endpoint has always promised. A full-size phone photo has 24 million; a flat PNG of 40
#: million takes 150 kB to send and 120 MB to decode, so that whoever decodes many bounds their sum.
MAX_PIXELS = 40_000_000
#: Formats that shops and people use. Pillow knows some forty more; each is a parser of hostile
#: bytes, and PostScript even starts a program.
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF", "HEIF")
#: What decoders raise on damaged or hostile bytes, seen by changing bytes of good files.
_DAMAGE = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    EOFError,
    Image.DecompressionBombError,
    LookupError,
    OSError,
    RuntimeError,
    struct.error,
    SyntaxError,
    TypeError,
    ValueError,
    Warning,  # Where whoever calls has made warnings errors.
    zlib.error,
)
_ORIENTATION_TAG = 0x0112
#: EXIF 2.32, 4.6.4 A: how the stored rows lie to the eye -> what sets them upright.
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


class PictureError(DataError):
    """Bytes that are no readable picture; the message may be shown to whoever sent them."""


class PictureTooLargeError(PictureError):
    """More pixels than are read."""


@dataclass(frozen=True)
class PictureFacts:
    """What a whole, readable picture is: its format, its size upright in pixels."""

    format: str
    width: int
    height: int
    #: Only the first frame is ever looked at.
    animated: bool


def inspect_picture(data: bytes, formats: Sequence[str] = FORMATS) -> PictureFacts:
    """The facts of a picture that decodes to its last row; PictureError where it does not.

    A JPEG is decoded at an eighth of its size: all its bytes are read all the same.
    """
    image, facts = _decoded(data, formats, 64)
    image.close()
    return facts


def read_picture(
    data: bytes, at_least: int | None = None, formats: Sequence[str] = FORMATS
) -> Image.Image:
    """The picture as a person sees it: 8-bit RGB, upright, first frame, transparency on white.

    With `at_least`, a JPEG may come smaller, by halves, never below that many pixels a side;
    that is faster. PictureError where the bytes are no picture or have more than MAX_PIXELS.
    """
    return _decoded(data, formats, at_least)[0]


def _decoded(
    data: bytes, formats: Sequence[str], at_least: int | None
) -> tuple[Image.Image, PictureFacts]:
    known = [name for name in formats if _known(name)]
    try:
        with Image.open(io.BytesIO(data), formats=known) as image:
            _bound(image)
            size = image.size
            if at_least is not None:
                image.draft("RGB", (at_least, at_least))
            image.load()
            turn = _UPRIGHT.get(_orientation(image))
            facts = _facts(image, size, turn)
            seen = _as_rgb(image)
            return seen if turn is None else seen.transpose(turn), facts
    except PictureError:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise PictureTooLargeError(f"too many pixels: {error}") from error
    except _DAMAGE as error:
        said = (str(error).splitlines() or [""])[0][:200] or type(error).__name__
        raise PictureError(
            f"{len(data):,} bytes cannot be read as {', '.join(known)}: {said}"
        ) from error


@cache
def _known(name: str) -> bool:
    """Whether there is a decoder here: those of two formats come with optional libraries."""
    if name == "HEIF":
        if importlib.util.find_spec("pillow_heif") is None:
            return False
        import pillow_heif

        # Phones' own format. The library turns it upright itself.
        pillow_heif.register_heif_opener(thumbnails=False)
        return True
    return name != "AVIF" or bool(features.check("avif"))


def _bound(image: Image.Image) -> None:
    width, height = image.size
    if width * height > MAX_PIXELS:
        raise PictureTooLargeError(
            f"{width} x {height} pixels; at most {MAX_PIXELS:,} are read"
        )


def _facts(
    image: Image.Image, size: tuple[int, int], turn: Image.Transpose | None
) -> PictureFacts:
    width, height = size
    sideways = turn in {_UPRIGHT[5], _UPRIGHT[6], _UPRIGHT[7], _UPRIGHT[8]}
    if sideways:
        width, height = height, width
    # A JPEG with a second view inside, as cameras write it, is a JPEG to everybody else.
    name = "JPEG" if image.format == "MPO" else image.format or ""
    return PictureFacts(name, width, height, _animated(image))


def _animated(image: Image.Image) -> bool:
    if image.format not in {"GIF", "PNG", "WEBP", "AVIF"}:
        return False
    try:
        return bool(getattr(image, "is_animated", False))
    except _DAMAGE:
        return True  # There is a second frame and it is damaged; nobody looks at it.


def _orientation(image: Image.Image) -> int:
    """The EXIF orientation; 1, upright, where the tags cannot be read.

    Pillow's own exif_transpose also writes the tags anew, and raises where one of them is out
    of its range: https://github.com/python-pillow/Pillow/issues/8965.
    """
    try:
        value = image.getexif().get(_ORIENTATION_TAG, 1)
    except _DAMAGE:
        return 1
    return value if isinstance(value, int) else 1


def _as_rgb(image: Image.Image) -> Image.Image:
    if image.mode in {"I", "F"} or image.mode.startswith("I;16"):
        image = _as_grey(image)
    if not image.has_transparency_data:
        return image.convert("RGB")
    cut_out = image.convert("RGBA")
    seen = Image.new("RGB", cut_out.size, "white")
    seen.paste(cut_out, mask=cut_out.getchannel("A"))
    return seen


def _as_grey(image: Image.Image) -> Image.Image:
    """16 bits to 8. Pillow's own conversion cuts at 255, so that nearly all becomes white."""
    values = np.asarray(image)
    whole = np.issubdtype(values.dtype, np.integer)
    if not whole or values.min() < 0 or values.max() > 65_535:
        raise PictureError(f"a picture of mode {image.mode}: its white is not known")
    return Image.fromarray((values / 257).round().astype(np.uint8))
