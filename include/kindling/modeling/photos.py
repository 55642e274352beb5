"""Encoded photos as square arrays of pixels, for every model that looks at one."""

import hashlib
import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from kindling.errors import DataError

#: Pixels of a photo, before decoding, from which it is refused: a bomb, not a product photo.
MAX_PIXELS = 50_000_000


def decode(data: bytes, size: int) -> NDArray[np.uint8]:
    """Any picture Pillow reads -> uint8 [size, size, 3], upright; DataError when it is none or too large.

    The whole photo is squeezed into the square: cropping could cut the damage away.
    """
    try:
        with Image.open(io.BytesIO(data)) as image:
            if image.width * image.height > MAX_PIXELS:
                raise DataError(
                    f"photo of {image.width} x {image.height} pixels; at most {MAX_PIXELS} are read"
                )
            # JPEG only: decodes at a fraction of the size.
            image.draft("RGB", (2 * size, 2 * size))
            upright = ImageOps.exif_transpose(image).convert("RGB")
            return np.asarray(upright.resize((size, size), Image.Resampling.BILINEAR))
    except (
        UnidentifiedImageError,
        Image.DecompressionBombError,
        OSError,
        SyntaxError,
        ValueError,
    ) as error:
        sha256 = hashlib.sha256(data).hexdigest()
        raise DataError(
            f"photo {sha256[:12]} ({len(data)} bytes) cannot be read: {error}"
        ) from error
