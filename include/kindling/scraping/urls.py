"""Addresses: what belongs to the shop and what does not."""

from urllib.parse import urldefrag, urljoin, urlsplit

Origin = tuple[str, str, int]
_PORTS = {"http": 80, "https": 443}
_MAX_LENGTH = 2048


def origin_of(url: str) -> Origin | None:
    """Scheme, host and port; None for anything but a plain http(s) address."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    if parts.scheme not in _PORTS or not parts.hostname or parts.username is not None:
        return None
    return parts.scheme, parts.hostname, port or _PORTS[parts.scheme]


def absolute(base: str, reference: str) -> str:
    """The reference as an absolute http(s) address without fragment; empty when there is none."""
    reference = "".join(reference.split())
    if not reference:
        return ""
    try:
        url = urldefrag(urljoin(base, reference)).url
    except ValueError:
        return ""
    return url if len(url) <= _MAX_LENGTH and origin_of(url) else ""


def same_origin(url: str, other: str) -> bool:
    """Whether both are http(s) addresses of one scheme, host and port."""
    origin = origin_of(url)
    return origin is not None and origin == origin_of(other)


def last_segment(url: str) -> str:
    """The last part of the path, for sites that name a product nowhere else."""
    try:
        return urlsplit(url).path.rstrip("/").rsplit("/", 1)[-1]
    except ValueError:
        return ""
