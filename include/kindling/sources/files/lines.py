"""Bytes of a text file as numbered lines, whatever its encoding, with every length bounded."""

import codecs
import gzip
import io
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

#: Bytes of a file that its encoding, line ends and delimiter are told from.
SAMPLE = 1 << 18
#: A longer line is refused unread: no review is that long, and memory is not without end.
MAX_LINE = 1 << 20
_CHUNK = 1 << 16
_GZIP = b"\x1f\x8b"

_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_FORMATS = {
    b"PK\x03\x04": "a zip archive or an Excel workbook (save the sheet as CSV)",
    b"\xd0\xcf\x11\xe0": "an old Excel workbook (save the sheet as CSV)",
    b"%PDF": "a PDF",
    b"\x89PNG": "a PNG picture",
    b"\xff\xd8\xff": "a JPEG picture",
    b"GIF8": "a GIF picture",
    b"SQLite format 3": "an SQLite database",
    b"\x7fELF": "a program",
}
_CONTROL = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f]")
#: Letters and signs of western European text beyond ASCII.
_WESTERN = frozenset(
    "àâäáãåæçéèêëíìîïñóòôöõøœúùûüýÿßÀÂÄÁÃÅÆÇÉÈÊËÍÌÎÏÑÓÒÔÖÕØŒÚÙÛÜÝ‘’“”„‚«»–—…€£°¿¡·•´\xa0"
)
_OTHER_ENCODINGS = ["cp1250", "cp1251", "cp1253", "cp1254", "cp932", "gb18030"]


class Unreadable(Exception):
    """A file that holds no text at all; the message says what it is instead."""


@dataclass(frozen=True)
class Refused:
    """A line, element or row that is not read, and why."""

    number: int
    reason: str
    detail: str = ""


@dataclass(frozen=True)
class Line:
    """One physical line without its end; numbers begin at 1."""

    number: int
    text: str


@dataclass(frozen=True)
class Encoding:
    """How a file's bytes become text. Lines that are not UTF-8 are read as `fallback`."""

    name: str
    fallback: str
    newline: bytes

    def __str__(self) -> str:
        return self.name if self.name != "utf-8" else self.name.upper()


def open_bytes(path: Path) -> gzip.GzipFile | io.BufferedReader:
    """The file's bytes, decompressed where they are gzip, whatever the name says.

    `read1` gives what a broken archive still holds; `read` would lose it with the error.
    """
    with path.open("rb") as file:
        packed = file.read(2) == _GZIP
    return gzip.open(path, "rb") if packed else path.open("rb")


def sample_of(path: Path) -> bytes:
    """The beginning of the file; what a damaged archive gave before it broke."""
    taken = b""
    with open_bytes(path) as file:
        try:
            while len(taken) < SAMPLE and (chunk := file.read1(_CHUNK)):
                taken += chunk
        except (EOFError, OSError, zlib.error):
            pass  # Reading the lines comes to the same place and says so with its number.
    return taken


def encoding_of(sample: bytes, named: str = "") -> Encoding:
    """The encoding that the sample is in; Unreadable when it is no text."""
    for magic, what in _FORMATS.items():
        if sample.startswith(magic):
            raise Unreadable(f"this is {what}, not text")
    name = named or _told_by_bom(sample) or _told_by_zeros(sample)
    if name:
        if name.startswith(("utf-16", "utf-32")):
            return Encoding(name, "", b"\n")
    elif len(_CONTROL.findall(sample)) > max(3, len(sample) // 50):
        raise Unreadable("this is binary data, not text")
    newline = b"\r" if b"\n" not in sample and b"\r" in sample else b"\n"
    if name and name != "utf-8":
        return Encoding(name, name, newline)
    if _is_utf8(sample):
        return Encoding("utf-8", "cp1252", newline)
    fallback = _legacy(sample)
    mostly = sum(_is_utf8(line) for line in sample.split(newline))
    share = mostly / (sample.count(newline) + 1)
    # Files of several origins mix encodings; what most lines are in gives the name.
    return Encoding("utf-8" if share > 0.9 else fallback, fallback, newline)


def lines(path: Path, encoding: Encoding) -> Iterator[Line | Refused]:
    """Every line of the file in order, or why it is not read. Holds one line at a time."""
    number = 0
    for raw in _raw_lines(path, encoding):
        number += 1
        if isinstance(raw, str):
            yield Refused(number, "damaged_archive", raw)
        elif raw is None:
            yield Refused(number, "line_too_long", f"more than {MAX_LINE:,} bytes")
        elif b"\x00" in raw:
            yield Refused(number, "nul_byte", "the line holds a NUL byte")
        else:
            yield _decoded(number, raw, encoding)


def _decoded(number: int, raw: bytes, encoding: Encoding) -> Line | Refused:
    recoded = encoding.name.startswith(("utf-16", "utf-32"))
    for name in ("utf-8",) if recoded else ("utf-8", encoding.fallback):
        try:
            text = raw.decode(name)
        except UnicodeDecodeError:
            continue
        return Line(number, text.removeprefix("\ufeff") if number == 1 else text)
    return Refused(number, "not_text", f"neither UTF-8 nor {encoding.fallback}")


def _raw_lines(path: Path, encoding: Encoding) -> Iterator[bytes | str | None]:
    """Lines as UTF-8 or raw bytes; None for one too long; a string is what broke the archive."""
    buffer, dropping = bytearray(), False
    with open_bytes(path) as file:
        chunks = _chunks(file, encoding)
        while True:
            try:
                chunk = next(chunks, None)
            except (EOFError, OSError, zlib.error) as error:
                yield f"{type(error).__name__}: {error}"
                return
            if chunk is None:
                break
            buffer += chunk
            *whole, rest = bytes(buffer).split(encoding.newline)
            for line in whole:
                yield None if dropping or len(line) > MAX_LINE else line.rstrip(b"\r\n")
                dropping = False
            dropping = dropping or len(rest) > MAX_LINE
            buffer = bytearray() if dropping else bytearray(rest)
    if buffer or dropping:
        yield None if dropping else bytes(buffer).rstrip(b"\r\n")


def _chunks(
    file: gzip.GzipFile | io.BufferedReader, encoding: Encoding
) -> Iterator[bytes]:
    if not encoding.name.startswith(("utf-16", "utf-32")):
        while chunk := file.read1(_CHUNK):
            yield chunk
        return
    decoder = codecs.getincrementaldecoder(encoding.name)(errors="replace")
    while chunk := file.read1(_CHUNK):
        yield decoder.decode(chunk).encode("utf-8", "replace")
    yield decoder.decode(b"", True).encode("utf-8", "replace")


def _told_by_bom(sample: bytes) -> str:
    return next((name for bom, name in _BOMS if sample.startswith(bom)), "")


def _told_by_zeros(sample: bytes) -> str:
    """UTF-16 without a mark: every other byte of western text is zero."""
    pairs = len(sample) // 2
    if pairs < 4:
        return ""
    even, odd = sample[0::2].count(0) / pairs, sample[1::2].count(0) / pairs
    if odd > 0.6 and even < 0.1:
        return "utf-16-le"
    return "utf-16-be" if even > 0.6 and odd < 0.1 else ""


def _is_utf8(data: bytes) -> bool:
    try:
        codecs.getincrementaldecoder("utf-8")().decode(data)
    except UnicodeDecodeError:
        return False
    return True


def _legacy(sample: bytes) -> str:
    """The 8-bit or multi-byte encoding of text that is not UTF-8."""
    text = sample.decode("cp1252", "replace")
    letters = [one for one in text if one.isalpha()]
    beyond = [one for one in text if one > "\x7f"]
    western = sum(one in _WESTERN for one in beyond)
    rare = sum(one > "\x7f" for one in letters) < 0.4 * len(letters)
    if rare and western >= 0.95 * len(beyond):
        return "cp1252"
    import charset_normalizer

    best = charset_normalizer.from_bytes(sample, cp_isolation=_OTHER_ENCODINGS).best()
    return best.encoding if best else "cp1252"
