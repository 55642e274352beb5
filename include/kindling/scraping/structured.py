"""JSON-LD of a page, however its scripts are written, brought to one shape: nodes with schema.org's short names."""

import html
import json
import re
from collections.abc import Iterator
from typing import Any

import jstyleson
from selectolax.lexbor import LexborHTMLParser

Node = dict[str, Any]

_JSON_LD = "application/ld+json"
#: Marks that hide a script from old browsers: HTML comments, CDATA, and both behind a code comment.
_WRAPPING = re.compile(
    r"^\s*(?:(?://|/\*)?\s*(?:<!--|<!\[CDATA\[|\]\]>|-->)\s*(?:\*/)?\s*)+"
    r"|(?:\s*(?://|/\*)?\s*(?:\]\]>|-->)\s*(?:\*/)?)+\s*$"
)
_QUOTED = re.compile(r"&(?:quot|#34|#x22);", re.IGNORECASE)
#: Names that a context has to make schema.org's: "schema:name", "https://schema.org/name".
_PREFIXED = re.compile(r'"(?:https?://(?:www\.)?schema\.org[/#]|\w+:)@?\w+"')
_SCHEMA = re.compile(r"^https?://(?:www\.)?schema\.org[/#]+", re.IGNORECASE)


def json_ld(tree: LexborHTMLParser, problems: list[str]) -> list[Node]:
    """The nodes of every block that can be read; a block that cannot is a problem with its position."""
    nodes: list[Node] = []
    position = 0
    for script in tree.css("script[type]"):
        kind = (script.attributes["type"] or "").strip().lower()
        if not kind.startswith(_JSON_LD):
            continue
        position += 1
        try:
            values = _values(script.text())
        except (ValueError, RecursionError) as error:
            problems.append(f"json-ld block {position}: {first_line(error)}")
            continue
        nodes.extend(_top(values))
    return nodes


def first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200]


def _top(values: list[Any]) -> Iterator[Node]:
    for value in values:
        for one in value if isinstance(value, list) else [value]:
            if isinstance(one, dict):
                yield one


def _values(block: str) -> list[Any]:
    """The JSON values in a block: mostly one, several where a site strings them together.

    Tried as it is first, then without what should not be in it: comments, trailing commas and semicolons,
    entities in place of quotation marks.
    """
    block = block.strip().removeprefix("\ufeff")
    if not block:
        return []
    try:
        values = [json.loads(block, strict=False)]
    except ValueError:
        values = _mended(block)
    if _PREFIXED.search(block):
        values = [_shortened(value) for value in values]
    # JSON in a JSON string: written twice by a template.
    return [
        json.loads(value, strict=False)
        if isinstance(value, str) and value.lstrip().startswith(("{", "["))
        else value
        for value in values
    ]


def _mended(block: str) -> list[Any]:
    block = _WRAPPING.sub("", block).strip()
    if _QUOTED.search(block[:200]):
        block = html.unescape(block)
    block = block.rstrip("; \n\r\t")
    try:
        return _in_a_row(block)
    except ValueError:
        return _in_a_row(jstyleson.dispose(block).strip())


def _in_a_row(block: str) -> list[Any]:
    decoder = json.JSONDecoder(strict=False)
    values, at = [], 0
    while at < len(block):
        value, at = decoder.raw_decode(block, at)
        values.append(value)
        while at < len(block) and block[at] in " \t\r\n,;":
            at += 1
    return values


def _shortened(root: Any) -> Any:
    """The value with schema.org's own names for keys and types, whatever prefix its context gives them."""
    prefixes = {"schema"}
    stack = [root]
    while stack:
        value = stack.pop()
        if isinstance(value, list):
            stack.extend(value)
        elif isinstance(value, dict):
            prefixes |= _context_prefixes(value.get("@context"))
            stack.extend(value.values())
    return _renamed(root, prefixes)


def _context_prefixes(context: Any) -> set[str]:
    found: set[str] = set()
    for one in context if isinstance(context, list) else [context]:
        if isinstance(one, dict):
            found |= {
                name
                for name, meaning in one.items()
                if isinstance(meaning, str) and _SCHEMA.sub("", meaning + "/") == ""
            }
    return found


def _renamed(value: Any, prefixes: set[str], depth: int = 0) -> Any:
    if depth > 100:
        return value
    if isinstance(value, list):
        return [_renamed(one, prefixes, depth + 1) for one in value]
    if not isinstance(value, dict):
        return value
    renamed: Node = {}
    for key, one in value.items():
        if key == "@context":
            continue
        if key == "@type":
            renamed[key] = (
                [_short(str(kind), prefixes) for kind in one]
                if isinstance(one, list)
                else _short(str(one), prefixes)
            )
        else:
            renamed[_short(key, prefixes)] = _renamed(one, prefixes, depth + 1)
    return renamed


def _short(name: str, prefixes: set[str]) -> str:
    name = _SCHEMA.sub("", name)
    prefix, colon, rest = name.partition(":")
    return rest if colon and prefix in prefixes else name
