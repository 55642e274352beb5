"""A site's word against use of its pages for AI training.

Read are X-Robots-Tag and meta robots with `noai`, and the TDM Reservation Protocol (W3C community group
report, 2024).
"""

from collections.abc import Mapping

from selectolax.lexbor import LexborHTMLParser

_DIRECTIVES = {"noai", "noimageai"}


def in_headers(headers: Mapping[str, str]) -> str:
    """The opt-out that a response states (header names in lower case); empty where there is none."""
    found = _directive(headers.get("x-robots-tag", ""))
    if found:
        return f"X-Robots-Tag: {found}"
    return (
        "tdm-reservation: 1"
        if headers.get("tdm-reservation", "").strip() == "1"
        else ""
    )


def in_page(tree: LexborHTMLParser) -> str:
    """The opt-out that the page's meta elements state; empty where there is none."""
    for meta in tree.css("meta[name][content]"):
        name = (meta.attributes["name"] or "").lower()
        content = meta.attributes["content"] or ""
        if name == "tdm-reservation" and content.strip() == "1":
            return "meta tdm-reservation: 1"
        if name in ("robots", "kindling") and (found := _directive(content)):
            return f"meta {name}: {found}"
    return ""


def _directive(value: str) -> str:
    # "X-Robots-Tag: otherbot: noai" speaks to another crawler.
    agent, separator, rest = value.rpartition(":")
    if separator and agent.strip().lower() not in ("", "kindling", "*"):
        return ""
    return ", ".join(
        sorted(
            _DIRECTIVES & {part.strip().lower() for part in (rest or value).split(",")}
        )
    )
