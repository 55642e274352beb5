"""A page's bytes as text that a parser can take: its encoding told, its traps for parsers defused."""

import codecs
import contextlib
import re

from w3lib.encoding import html_to_unicode, resolve_encoding

#: A parser's time grows with tags times depth; the deepest of 61 real product pages has 170.
MAX_DEPTH = 512
_TAG = re.compile(r"<(?:(/?)([a-z][a-z0-9-]*)|!--)")
#: Elements whose content is text, whatever it looks like.
_RAW = frozenset(
    "script style textarea title xmp iframe noembed noframes plaintext".split()
)
# Elements that HTML closes by itself, or that close with what is around them, do not pile up.
_NOT_PILED = frozenset((
    "p", "li", "dt", "dd", "option", "optgroup", "tr", "td", "th", "thead", "tbody", "tfoot", "area", "base",
    "br", "col", "embed", "hr", "img", "input", "link", "meta", "param", "source", "track", "wbr", "html",
    "body", "head", "path", "rect", "circle", "use", "polygon", "line", "ellipse", "polyline", "stop",
    "a", "b", "big", "code", "em", "font", "i", "nobr", "s", "small", "strike", "strong", "tt", "u", "span",
))  # fmt: skip
_SHADOW = re.compile(r"<template([^>]*\bshadowroot(?:mode)?\b)", re.IGNORECASE)
_OPTION = re.compile(r"<option\b[^<>]*>[^<]*(?:</option\s*>)?", re.IGNORECASE)
_FORMATTING = re.compile(
    r"<(/?)(?:b|big|code|em|font|i|nobr|s|small|strike|strong|tt|u)(?:[\s/][^<>]*)?>",
    re.IGNORECASE,
)
#: Formatting elements that a page may leave open: a parser opens each anew in every block that follows.
_MAX_UNCLOSED = 200
#: Options of one page beyond which they are left out: the parser's time grows with their square.
_MAX_OPTIONS = 1_000
_DECLARED = re.compile(
    rb"<meta[^>]{0,200}?charset\s*=\s*[\"']?\s*([^\s\"'/>;]{2,40})", re.IGNORECASE
)
_DASH = re.compile(
    r"[\u2010-\u2015]|&#(?:821[0-3]|x201[0-5]);|&[nm]dash;", re.IGNORECASE
)
_SINGLE_BYTE = re.compile(r"cp125\d|windows-125\d|iso-?8859|latin|koi8", re.IGNORECASE)
_REPLACEMENT = "\ufffd"


def decoded(body: bytes, content_type: str) -> tuple[str, list[str]]:
    """The page's text, and the problem where some of its bytes are in no encoding that could be told.

    As browsers do it (byte-order mark, HTTP header, declaration), then a declaration further down or
    misspelt, then what the bytes themselves look like.
    """
    encoding, text = html_to_unicode(content_type or None, body)
    if _SINGLE_BYTE.match(encoding) and not text.isascii():
        # Bytes that are UTF-8 throughout are no accident, whatever the page says.
        with contextlib.suppress(UnicodeDecodeError):
            return body.decode("utf-8-sig"), []
    if _REPLACEMENT not in text or body.startswith(
        (codecs.BOM_UTF8, b"\xff\xfe", b"\xfe\xff")
    ):
        return text, []
    for name in _candidates(body):
        try:
            return body.decode(name), []
        except (UnicodeDecodeError, LookupError):
            continue
    # Loading it takes longer than most crawls of a page; few pages need it.
    from charset_normalizer import from_bytes

    if guess := from_bytes(body[:200_000]).best():
        again = body.decode(guess.encoding, "replace")
        if again.count(_REPLACEMENT) < text.count(_REPLACEMENT):
            text = again
    damaged = text.count(_REPLACEMENT)
    if not damaged:
        return text, []
    return text, [f"encoding: {damaged} characters are not in {encoding}"]


def too_deep(html: str) -> bool:
    """Whether elements nest deeper than 512; tags in scripts, comments and texts are none."""
    if html.count("<") - html.count("</") <= MAX_DEPTH:
        return False
    depth = text_until = 0
    lowered = html.lower()
    for match in _TAG.finditer(lowered):
        if match.start() < text_until:
            continue
        closing, tag = match[1], match[2]
        if tag is None:
            text_until = _after(lowered, "-->", match.end())
        elif tag in _RAW:
            if not closing:
                text_until = _after(lowered, f"</{tag}", match.end())
        elif tag not in _NOT_PILED:
            depth = max(0, depth - 1) if closing else depth + 1
            if depth > MAX_DEPTH:
                return True
    return False


def parsable(html: str) -> str:
    """The page as the parser gets it: shadow roots as plain elements, without what makes parsers explode."""
    if "shadowroot" in html:
        html = _SHADOW.sub(r"<div\1", html)
    if html.count("<option") > _MAX_OPTIONS:
        html = _OPTION.sub("", html)
    if html.count("<") - 2 * html.count("</") > _MAX_UNCLOSED:
        closing = _FORMATTING.findall(html)
        if len(closing) - 2 * sum(map(bool, closing)) > _MAX_UNCLOSED:
            html = _FORMATTING.sub("", html)
    return html


def _candidates(body: bytes) -> list[str]:
    """Encodings that the page declares anywhere, spelt as they should be, and the most usual one."""
    names = ["utf-8"]
    for declared in _DECLARED.findall(body[:200_000]):
        name = _DASH.sub("-", declared.decode("utf-8", "replace"))
        if known := resolve_encoding(name):
            names.append(known)
    return list(dict.fromkeys(names))


def _after(text: str, mark: str, start: int) -> int:
    found = text.find(mark, start)
    return len(text) if found < 0 else found + len(mark)
