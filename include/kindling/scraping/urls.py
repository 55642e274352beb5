"""Addresses: how they are written in one way, and what belongs to the shop and what does not."""

import re
from urllib.parse import urldefrag, urljoin, urlsplit, urlunsplit

from w3lib.url import safe_url_string

Origin = tuple[str, str, int]
_PORTS = {"http": 80, "https": 443}
_MAX_LENGTH = 2048
_ENDS = "".join(map(chr, range(33)))
_LINE_BREAKS = str.maketrans("", "", "\t\n\r")
#: Characters that an address may hold as they are, its reserved ones and percent signs included.
_PLAIN = re.compile(r"[!#$%&'()*+,\-./0-9:;=?@A-Z\[\]_a-z~]*")
_SCHEME = re.compile(r"([a-z][a-z0-9+.-]*):", re.IGNORECASE)
#: Parameters that say where a visitor came from, or which visit it is; the page is the same without them.
_TRACKING = re.compile(
    r"(?:utm_\w+|[gd]clid|gclsrc|[gw]braid|fbclid|msclkid|yclid|ttclid|twclid|li_fat_id|"
    r"mc_[ce]id|igshid|srsltid|epik|_g[al]|_hs(?:enc|mi)|mkt_tok|vero_id|pk_\w+|"
    r"phpsessid|jsessionid|aspsessionid\w*|asp\.net_sessionid|cfid|cftoken|oscsid|zenid|"
    r"session_?id|sessid)(?:=|$)",
    re.IGNORECASE,
)
#: A short name that shops use for other things too: a session only where its value is a long token.
_SESSION_TOKEN = re.compile(r"(?:s?id|s|session)=(?=[^&]*\d)[0-9a-f]{20,}$", re.I)
_SESSION_IN_PATH = re.compile(r";(?:jsessionid|phpsessid|sid)=[^/?#;]*", re.IGNORECASE)


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
    """The reference as an absolute http(s) address, empty when there is none.

    Written as browsers write it (WHATWG URL): white space encoded, backslashes turned, scheme and host in
    lower case, no default port, no fragment; and without session and tracking parameters.
    """
    reference = reference.strip(_ENDS).translate(_LINE_BREAKS)
    if not reference:
        return ""
    scheme = _SCHEME.match(reference)
    if scheme and scheme[1].lower() not in _PORTS:
        return ""
    try:
        url = urldefrag(urljoin(base, _turned(reference))).url
        return _written(url)
    except ValueError:
        return ""


def same_origin(url: str, other: str) -> bool:
    """Whether both are http(s) addresses of one scheme, host and port."""
    origin = origin_of(url)
    return origin is not None and origin == origin_of(other)


def same_site(url: str, other: str) -> bool:
    """Whether both are http(s) addresses of one shop: with or without `www.`, over http or https.

    A port that is not its scheme's default has to be the same.
    """
    site = _site(url)
    return site is not None and site == _site(other)


def page_key(url: str) -> str:
    """The same for all addresses of one page: without scheme, `www.` and the slash at the end."""
    bare = url.partition("://")[2].removeprefix("www.")
    path, question, query = bare.partition("?")
    return path.rstrip("/") + question + query


def last_segment(url: str) -> str:
    """The last part of the path, for sites that name a product nowhere else."""
    try:
        return urlsplit(url).path.rstrip("/").rsplit("/", 1)[-1]
    except ValueError:
        return ""


def _site(url: str) -> tuple[str, int | None] | None:
    origin = origin_of(url)
    if origin is None:
        return None
    scheme, host, port = origin
    return host.removeprefix("www."), None if port == _PORTS[scheme] else port


def _turned(reference: str) -> str:
    """Backslashes of the path as the slashes that browsers take them for."""
    path, mark, query = reference.partition("?")
    return path.replace("\\", "/") + mark + query if "\\" in path else reference


def _written(url: str) -> str:
    """The address in its one spelling; empty for one that is no plain http(s) address."""
    origin = origin_of(url)
    if origin is None or len(url) > _MAX_LENGTH:
        return ""
    scheme, host, port = origin
    parts = urlsplit(url)
    netloc = f"[{host}]" if ":" in host else host
    netloc = netloc if port == _PORTS[scheme] else f"{netloc}:{port}"
    path = parts.path or "/"
    if "/." in path:
        path = urlsplit(urljoin(f"{scheme}://{netloc}/", path)).path
    if ";" in path:
        path = _SESSION_IN_PATH.sub("", path)
    query = _query(parts.query) if parts.query else ""
    written = urlunsplit((scheme, netloc, path, query, ""))
    if not _PLAIN.fullmatch(written):
        written = safe_url_string(written)
    return written if len(written) <= _MAX_LENGTH else ""


def _query(query: str) -> str:
    return "&".join(
        one
        for one in query.split("&")
        if not (_TRACKING.match(one) or _SESSION_TOKEN.match(one))
    )
