"""Product addresses that a shop lists for crawlers, in every form that sitemaps have."""

import re
import zlib

from lxml import etree

from kindling.scraping.urls import absolute

#: What one sitemap may hold, by sitemaps.org.
MAX_BYTES = 50 * 1024 * 1024
_MAX_URLS = 50_000
_GZIP = b"\x1f\x8b"
_TEXT_LINE = re.compile(r"https?://\S+", re.IGNORECASE)


def locations(content: bytes, url: str) -> tuple[list[str], list[str]]:
    """(pages, further sitemaps) that the file at `url` names, wherever they lie; both empty for other files.

    XML (sitemap, index, RSS, Atom), plain text with an address a line, and either of them packed with gzip.
    Entities are not resolved and nothing is fetched: a sitemap is a list, whatever else it tries to be.
    """
    content = _unpacked(content).removeprefix(b"\xef\xbb\xbf").strip()
    if not content.startswith((b"<", b"\xff\xfe", b"\xfe\xff")):
        return _addresses(_lines(content), url), []
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, recover=False, huge_tree=False
    )
    try:
        root = etree.fromstring(content, parser)
    except etree.XMLSyntaxError:
        return [], []
    kind = etree.QName(root).localname
    if kind == "sitemapindex":
        return [], _addresses(_texts(root, "{*}sitemap/{*}loc"), url)
    if kind in ("rss", "RDF"):
        return _addresses(_texts(root, ".//{*}item/{*}link"), url), []
    if kind == "feed":
        links = [one.get("href", "") for one in root.iterfind("{*}entry/{*}link")]
        return _addresses(links, url), []
    # The `loc` of images and videos lies deeper and is no page.
    return _addresses(_texts(root, "{*}url/{*}loc"), url), []


def changes(content: bytes, url: str) -> dict[str, str]:
    """Page -> when it last changed, in the words of the XML sitemap at `url`; pages without it are left out."""
    content = _unpacked(content).removeprefix(b"\xef\xbb\xbf").strip()
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, recover=False, huge_tree=False
    )
    try:
        root = etree.fromstring(content, parser)
    except etree.XMLSyntaxError:
        return {}
    found: dict[str, str] = {}
    for entry in root.findall("{*}url")[:_MAX_URLS]:
        page = absolute(url, entry.findtext("{*}loc") or "")
        changed = (entry.findtext("{*}lastmod") or "").strip()
        if page and changed:
            found[page] = changed
    return found


def _addresses(found: list[str], url: str) -> list[str]:
    addresses = (absolute(url, one) for one in found[:_MAX_URLS])
    return list(dict.fromkeys(one for one in addresses if one))


def _texts(root: etree._Element, path: str) -> list[str]:
    return [one.text or "" for one in root.iterfind(path)]


def _lines(content: bytes) -> list[str]:
    text = content.decode("utf-8", "replace")
    lines = [line.strip() for line in text.splitlines()]
    addresses = [line for line in lines if _TEXT_LINE.fullmatch(line)]
    # A text file of addresses holds nothing else.
    filled = sum(bool(line) for line in lines)
    return addresses if 2 * len(addresses) > filled else []


def _unpacked(content: bytes) -> bytes:
    """The file without its gzip wrapping, cut off at what a sitemap may hold; empty where it is damaged."""
    if not content.startswith(_GZIP):
        return content
    try:
        return zlib.decompressobj(zlib.MAX_WBITS | 16).decompress(content, MAX_BYTES)
    except zlib.error:
        return b""
