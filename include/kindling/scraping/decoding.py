"""Content encodings undone with a bound on every byte that comes out, so that no small answer fills the memory."""

import zlib
from collections.abc import Iterator

#: What is asked for; an answer in any other encoding is refused.
ACCEPTED = "gzip, deflate"
_KNOWN = {"gzip", "x-gzip", "deflate"}
#: Encodings on top of one another; more than two are an attack, not a server's habit.
_MAX_CHAIN = 2
#: Bytes that a decoder may hand on at once.
_STEP = 64 * 1024


class BadEncoding(Exception):
    """An encoding that is not read, or bytes that are not in it."""


class TooLarge(Exception):
    """More bytes came out than may."""


class Body:
    """Collects an answer's bytes as they come, decoded, `max_bytes` at most."""

    def __init__(self, content_encoding: str, max_bytes: int) -> None:
        names = [name.strip().lower() for name in content_encoding.split(",")]
        names = [name for name in names if name not in ("", "identity")]
        unknown = [name for name in names if name not in _KNOWN]
        if unknown or len(names) > _MAX_CHAIN:
            raise BadEncoding(f"Content-Encoding {content_encoding[:80]!r}")
        # The last one named was applied last.
        self._decoders = [_Inflate(name) for name in reversed(names)]
        self._max_bytes = max_bytes
        self.content = bytearray()

    def add(self, data: bytes) -> None:
        """Raises TooLarge as soon as too much came out, BadEncoding for damaged bytes."""
        for piece in self._through(data, 0):
            self.content += piece
            if len(self.content) > self._max_bytes:
                raise TooLarge

    def _through(self, data: bytes, level: int) -> Iterator[bytes]:
        if level == len(self._decoders):
            yield data
            return
        for piece in self._decoders[level].pieces(data):
            yield from self._through(piece, level + 1)


class _Inflate:
    """One level of gzip or deflate, given out in small pieces."""

    def __init__(self, name: str) -> None:
        self._raw = name == "deflate"
        self._decoder = self._new()
        self._begun = False

    def _new(self, raw: bool = False) -> "zlib._Decompress":
        if self._raw:
            return zlib.decompressobj(-zlib.MAX_WBITS if raw else zlib.MAX_WBITS)
        return zlib.decompressobj(zlib.MAX_WBITS | 16)

    def pieces(self, data: bytes) -> Iterator[bytes]:
        while data:
            if self._decoder.eof:
                # Another member of a gzip file; padding is none.
                if self._raw or not data.startswith(b"\x1f\x8b"):
                    return
                self._decoder = self._new()
            piece = self._inflate(data)
            self._begun = True
            data = self._decoder.unconsumed_tail or self._decoder.unused_data
            if piece:
                yield piece

    def _inflate(self, data: bytes) -> bytes:
        try:
            return self._decoder.decompress(data, _STEP)
        except zlib.error as error:
            if self._begun or not self._raw:
                raise BadEncoding(str(error)) from None
        # Some servers send deflate without the header that it should have.
        self._decoder = self._new(raw=True)
        try:
            return self._decoder.decompress(data, _STEP)
        except zlib.error as error:
            raise BadEncoding(str(error)) from None
