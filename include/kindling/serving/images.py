"""Images from outside, looked at before anything else sees them."""

import base64
import binascii
import re

from kindling.pictures import PictureError, PictureTooLargeError, inspect_picture

MAX_BYTES = 10_000_000
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
        inspect_picture(data)
    except PictureTooLargeError as error:
        raise LargeImage(f"the image has {error}") from error
    except PictureError as error:
        raise BadImage(f"the image cannot be read: {error}") from error


def from_base64(value: str) -> bytes:
    """The bytes of a base64 string, with or without a `data:` prefix; BadImage when it is none."""
    try:
        return base64.b64decode(DATA_URI.sub("", value, count=1).strip(), validate=True)
    except (binascii.Error, ValueError):
        raise BadImage("image_base64 is not valid base64") from None
