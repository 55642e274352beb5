"""Images from outside, looked at before anything else sees them."""

import base64
import binascii
import io
import re
import struct

from PIL import Image

MAX_BYTES = 10_000_000
MAX_PIXELS = 40_000_000
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP")
DATA_URI = re.compile(r"data:[\w.+/-]*;base64,")


class BadImage(ValueError):
    """Not an image that can be read; the message may be shown to the client."""


class LargeImage(BadImage):
    """More bytes or pixels than are read."""


def check_image(data: bytes) -> None:
    """Decode once and forget; BadImage unless the bytes are one whole image of a known format."""
    if len(data) > MAX_BYTES:
        raise LargeImage(
            f"the image has {len(data):,} bytes; at most {MAX_BYTES:,} are read"
        )
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            if image.width * image.height > MAX_PIXELS:
                raise LargeImage(
                    f"the image has {image.width} x {image.height} pixels; "
                    f"at most {MAX_PIXELS // 1_000_000} million are read"
                )
            image.draft(
                "RGB", (64, 64)
            )  # A JPEG is read whole all the same, at an eighth of the work.
            image.load()
    except Image.DecompressionBombError as error:
        raise LargeImage(f"the image has too many pixels: {error}") from error
    # struct.error: EXIF whose numbers do not fit their fields.
    except (OSError, SyntaxError, ValueError, EOFError, struct.error) as error:
        if isinstance(error, BadImage):
            raise
        raise BadImage(f"the image cannot be read; {', '.join(FORMATS)} are") from error


def from_base64(value: str) -> bytes:
    """The bytes of a base64 string, with or without a `data:` prefix; BadImage when it is none."""
    try:
        return base64.b64decode(DATA_URI.sub("", value, count=1).strip(), validate=True)
    except (binascii.Error, ValueError):
        raise BadImage("image_base64 is not valid base64") from None
