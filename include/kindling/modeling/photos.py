"""Encoded photos as square arrays of pixels, for every model that looks at one."""

import hashlib

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from kindling.errors import DataError
from kindling.pictures import PictureError, read_picture


def decode(data: bytes, size: int) -> NDArray[np.uint8]:
    """Any picture -> uint8 [size, size, 3], upright; DataError when it is none or too large.

    The whole photo is squeezed into the square: cropping could cut the damage away.
    """
    try:
        seen = read_picture(data, at_least=2 * size)
    except PictureError as error:
        sha256 = hashlib.sha256(data).hexdigest()
        raise DataError(f"photo {sha256[:12]}: {error}") from error
    return np.asarray(seen.resize((size, size), Image.Resampling.BILINEAR))


def decode_upright(data: bytes, longest: int) -> Image.Image:
    """Any picture -> RGB, upright, its longer side at most `longest`; DataError when it is none or too large."""
    try:
        seen = read_picture(data, at_least=longest)
    except PictureError as error:
        sha256 = hashlib.sha256(data).hexdigest()
        raise DataError(f"photo {sha256[:12]}: {error}") from error
    seen.thumbnail((longest, longest))
    return seen
