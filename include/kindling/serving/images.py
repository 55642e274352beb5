"""Images from outside, looked at before anything else sees them."""

import base64
import binascii
import io
import re

from PIL import Image

from kindling.pictures import (
    PictureError,
    PictureTooLargeError,
    inspect_picture,
    read_picture,
)

MAX_BYTES = 10_000_000
DATA_URI = re.compile(r"data:[\w.+/-]*;base64,")


class BadImage(ValueError):
    """Not an image that can be read; the message may be shown to the client."""


class LargeImage(BadImage):
    """More bytes or pixels than are read."""


def looked_at(data: bytes, size: int | None) -> bytes:
    """What the model looks at: the photo squeezed into its square, as a bitmap without loss.

    The only decoding there is; what the model makes of the bitmap is what it would make of the
    photo. The photo itself where no size is known. BadImage unless the bytes are one whole image
    of a known format.
    """
    if len(data) > MAX_BYTES:
        raise LargeImage(
            f"the image has {len(data):,} bytes; at most {MAX_BYTES:,} are read"
        )
    try:
        if size is None:
            inspect_picture(data)
            return data
        seen = read_picture(data, at_least=2 * size)
    except PictureTooLargeError as error:
        raise LargeImage(f"the image has {error}") from error
    except PictureError as error:
        raise BadImage(f"the image cannot be read: {error}") from error
    bitmap = io.BytesIO()
    seen.resize((size, size), Image.Resampling.BILINEAR).save(bitmap, "BMP")
    return bitmap.getvalue()


def from_base64(value: str) -> bytes:
    """The bytes of a base64 string, with or without a `data:` prefix; BadImage when it is none."""
    try:
        return base64.b64decode(DATA_URI.sub("", value, count=1).strip(), validate=True)
    except (binascii.Error, ValueError):
        raise BadImage("image_base64 is not valid base64") from None
