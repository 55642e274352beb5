"""One reader of pictures for every stage: as a person sees them, within one limit."""

import io
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from kindling import pictures
from kindling.dedupe.photos import perceptual_hash
from kindling.errors import DataError
from kindling.modeling.photos import decode
from kindling.pictures import (
    MAX_PIXELS,
    PictureError,
    PictureTooLargeError,
    inspect_picture,
    read_picture,
)
from kindling.scraping.photos import BrokenPhoto, inspect
from kindling.serving.images import LargeImage, looked_at
from kindling.synthesis.reshoot import opened


def saved(image: Image.Image, kind: str, **options: object) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def half_white() -> Image.Image:
    """40 x 20, white on the left, black on the right."""
    image = Image.new("RGB", (40, 20), "black")
    image.paste("white", (0, 0, 20, 20))
    return image


def exif(*entries: tuple[int, int, int, bytes]) -> bytes:
    """Little-endian EXIF of (tag, type, count, value in four bytes)."""
    tags = b"".join(struct.pack("<HHI4s", *entry) for entry in entries)
    head = b"Exif\0\0II*\0\x08\0\0\0"
    return head + struct.pack("<H", len(entries)) + tags + b"\0\0\0\0"


TURNED = (0x0112, 3, 1, b"\x06\0\0\0")
#: ResolutionUnit as -3 in four bytes: https://github.com/python-pillow/Pillow/issues/8965.
NEGATIVE = (0x0128, 8, 1, b"\xfd\xff\xff\xff")


def grey_16(width: int = 100, height: int = 100) -> bytes:
    """A ramp from black on the left to white on the right, 16 bits a pixel."""
    ramp = np.linspace(0, 65_535, width).astype(np.uint16)
    return saved(Image.fromarray(np.tile(ramp, (height, 1))), "PNG")


def flat_png(width: int, height: int) -> bytes:
    """An RGBA PNG of one colour whose size is out of all proportion to its pixels."""

    def chunk(name: bytes, body: bytes) -> bytes:
        tail = struct.pack(">I", zlib.crc32(name + body))
        return struct.pack(">I", len(body)) + name + body + tail

    header = struct.pack(">IIBBBBB", width, height, 8, 6, 0, 0, 0)
    packer = zlib.compressobj(9)
    rows = b"".join(packer.compress(bytes(1 + 4 * width)) for _ in range(height))
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", rows + packer.flush())
        + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize(
    "tags",
    [(TURNED,), (TURNED, NEGATIVE), (NEGATIVE, TURNED)],
    ids=["turned", "a bad tag after", "a bad tag before"],
)
def test_a_turned_photo_is_set_upright_whatever_its_other_tags_are(
    tags: tuple[tuple[int, int, int, bytes], ...],
) -> None:
    data = saved(half_white(), "JPEG", quality=95, exif=exif(*tags))
    seen = np.asarray(read_picture(data)).mean(2)
    assert seen.shape == (40, 20)
    assert seen[:18].mean() > 250 and seen[22:].mean() < 5
    facts = inspect_picture(data)
    assert (facts.format, facts.width, facts.height) == ("JPEG", 20, 40)


@pytest.mark.parametrize("kept", [0, 6, 10, 14, 20, 30])
def test_exif_cut_short_leaves_a_photo_as_it_lies_or_upright(kept: int) -> None:
    data = saved(half_white(), "JPEG", exif=exif(TURNED, NEGATIVE)[:kept])
    assert read_picture(data).size in {(40, 20), (20, 40)}


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_every_orientation_is_what_pillow_makes_of_good_tags(
    orientation: int, kind: str
) -> None:
    tags = Image.Exif()
    tags[0x0112] = orientation
    image = Image.fromarray(
        np.random.default_rng(0).integers(0, 255, (24, 16, 3), dtype=np.uint8)
    )
    from PIL import ImageOps

    data = saved(image, kind, exif=tags)
    with Image.open(io.BytesIO(data)) as stored:
        expected = ImageOps.exif_transpose(stored).convert("RGB")
    assert read_picture(data).tobytes() == expected.tobytes()


def test_16_bit_grey_keeps_its_greys() -> None:
    seen = np.asarray(read_picture(grey_16()))
    expected = np.linspace(0, 255, 100)
    assert np.abs(seen[50].mean(1) - expected).max() <= 1
    assert (seen[..., 0] == seen[..., 2]).all()


def test_numbers_without_a_known_white_are_refused() -> None:
    data = saved(Image.fromarray(np.full((4, 4), 0.5, dtype=np.float32)), "TIFF")
    with pytest.raises(PictureError, match="white is not known"):
        read_picture(data)


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_what_is_transparent_is_white(mode: str) -> None:
    image = Image.new("RGBA", (20, 10), (0, 0, 0, 0))
    image.paste((0, 0, 0, 255), (0, 0, 10, 10))
    if mode == "P":
        data = saved(image.quantize(4), "PNG")
    else:
        data = saved(image.convert(mode), "PNG")
    seen = np.asarray(read_picture(data))
    assert seen[:, :10].max() < 5 and seen[:, 10:].min() == 255


def test_half_transparent_is_mixed_with_white() -> None:
    data = saved(Image.new("RGBA", (4, 4), (0, 0, 0, 128)), "PNG")
    assert np.abs(np.asarray(read_picture(data)).astype(int) - 127).max() <= 1


@pytest.mark.parametrize(
    ("mode", "kind"),
    [("CMYK", "JPEG"), ("P", "PNG"), ("1", "PNG"), ("L", "JPEG"), ("P", "GIF")],
)
def test_other_colours_become_rgb(mode: str, kind: str) -> None:
    image = Image.new("RGB", (8, 8), (255, 255, 255)).convert(mode)
    seen = read_picture(saved(image, kind))
    assert seen.mode == "RGB" and np.asarray(seen).min() > 250


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP"])
def test_the_first_frame_of_an_animation_is_read_and_said(kind: str) -> None:
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue")]
    options = {"lossless": True} if kind == "WEBP" else {}
    data = saved(frames[0], kind, save_all=True, append_images=frames[1:], **options)
    assert inspect_picture(data).animated
    assert not inspect_picture(saved(frames[0], kind)).animated
    assert read_picture(data).getpixel((4, 4)) == (255, 0, 0)


def test_a_cameras_second_view_does_not_make_it_another_format() -> None:
    view = half_white()
    data = saved(view, "MPO", save_all=True, append_images=[view])
    assert inspect_picture(data).format == "JPEG"
    assert inspect(data) == (".jpg", 40, 20)


def test_too_many_pixels_are_refused_before_one_is_decoded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    side = int(MAX_PIXELS**0.5) + 1
    data = flat_png(side, side)
    assert len(data) < 200_000

    def decoded(*_: object) -> None:
        raise AssertionError("a pixel was decoded")

    monkeypatch.setattr(Image.Image, "load", decoded)
    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", decoded)
    with pytest.raises(PictureTooLargeError, match=f"{side} x {side}"):
        read_picture(data)


def test_every_reader_of_the_house_has_the_same_limit(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    data = saved(half_white(), "PNG")
    readers = [
        lambda: decode(data, 16),
        lambda: opened(data, 16),
        lambda: perceptual_hash("a", data),
        lambda: inspect(data),
        lambda: looked_at(data, 64),
    ]
    for read in readers:
        read()
    monkeypatch.setattr(pictures, "MAX_PIXELS", 40 * 20 - 1)
    for read in readers:
        with pytest.raises((DataError, BrokenPhoto, LargeImage), match="40 x 20"):
            read()


def test_a_large_jpeg_may_be_read_smaller_but_not_below_what_is_asked() -> None:
    data = saved(Image.effect_noise((1200, 800), 50), "JPEG")
    smaller = read_picture(data, at_least=256)
    assert smaller.size[0] < 1200 and min(smaller.size) >= 256
    assert read_picture(data).size == (1200, 800)
    facts = inspect_picture(data)
    assert (facts.width, facts.height) == (1200, 800)


@pytest.mark.parametrize(
    "data",
    [b"", b"GIF89a", b"<svg/>", b"%!PS-Adobe-3.0 EPSF\n%%BoundingBox: 0 0 9 9\n"],
)
def test_what_is_no_picture_says_so(data: bytes) -> None:
    with pytest.raises(PictureError, match="cannot be read as JPEG, PNG"):
        read_picture(data)


def _specimens() -> list[bytes]:
    noise = Image.effect_noise((48, 32), 60)
    colour = Image.merge("RGB", [noise] * 3)
    frames = [colour, colour.transpose(Image.Transpose.FLIP_LEFT_RIGHT)]
    return [
        saved(colour, "JPEG", exif=exif(TURNED, NEGATIVE)),
        saved(colour.convert("CMYK"), "JPEG", progressive=True),
        saved(colour.convert("RGBA"), "PNG"),
        saved(colour.quantize(8), "PNG"),
        grey_16(48, 32),
        saved(colour, "WEBP"),
        saved(frames[0], "GIF", save_all=True, append_images=frames[1:]),
        saved(frames[0], "WEBP", save_all=True, append_images=frames[1:]),
        saved(colour, "BMP"),
        saved(colour, "TIFF", compression="tiff_lzw"),
    ]


SPECIMENS = _specimens()


@settings(max_examples=400)
@given(
    st.sampled_from(SPECIMENS),
    st.lists(
        st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), max_size=6
    ),
    st.floats(0.02, 1),
)
def test_damaged_bytes_are_read_or_refused_by_one_error(
    data: bytes, changes: list[tuple[float, int]], kept: float
) -> None:
    damaged = bytearray(data)
    for place, value in changes:
        # Headers are where parsers break: every other change falls there.
        span = len(damaged) if value % 2 else min(120, len(damaged))
        damaged[int(place * span)] = value
    damaged = damaged[: max(1, int(kept * len(damaged)))] if kept < 0.9 else damaged
    for read in (read_picture, inspect_picture):
        try:
            read(bytes(damaged))
        except PictureError as error:
            assert str(error)


def test_a_phones_heic_is_read_upright_like_a_jpeg() -> None:
    pillow_heif = pytest.importorskip("pillow_heif")
    left = Image.new("RGB", (64, 32), (200, 30, 30))
    left.paste((30, 30, 200), (32, 0, 64, 32))
    exif = Image.Exif()
    exif[0x0112] = 6
    buffer = io.BytesIO()
    pillow_heif.from_pillow(left).save(buffer, exif=exif.tobytes(), quality=95)
    seen = read_picture(buffer.getvalue())
    assert seen.size == (32, 64)
    top, bottom = seen.getpixel((16, 8)), seen.getpixel((16, 56))
    assert top[0] > 150 > 80 > top[2] and bottom[2] > 150 > 80 > bottom[0]
    assert inspect_picture(buffer.getvalue()).format == "HEIF"


@pytest.mark.parametrize("size", [32, 128])
@given(width=st.integers(8, 600), height=st.integers(8, 600), data=st.data())
@settings(max_examples=25, deadline=None)
def test_what_serving_passes_on_is_to_the_model_what_the_photo_is(
    size: int, width: int, height: int, data: st.DataObject
) -> None:
    kind = data.draw(st.sampled_from(["JPEG", "PNG", "WEBP"]))
    noise = Image.effect_noise((width, height), 90).convert("RGB")
    buffer = io.BytesIO()
    noise.save(buffer, kind)
    passed_on = looked_at(buffer.getvalue(), size)
    assert np.array_equal(decode(passed_on, size), decode(buffer.getvalue(), size))
