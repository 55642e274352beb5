"""Microdata and RDFa Lite of a page as JSON-LD nodes, read from the tree that is there already.

extruct reads microdata too, but parses the page a second time, and takes a placeholder for a lazy picture.
"""

import re
from collections import defaultdict
from dataclasses import dataclass, field
from urllib.parse import urljoin

from selectolax.lexbor import LexborHTMLParser, LexborNode

from kindling.scraping.pictures_on_page import picture_address
from kindling.scraping.structured import Node, first_line
from kindling.scraping.text import shown_text

#: Pages without any of these hold no product or review in attributes.
_MICRODATA = re.compile(
    r"itemtype\s*=\s*[\"']?[^\"'>]{0,200}schema\.org/", re.IGNORECASE
)
_RDFA = re.compile(
    r"typeof\s*=\s*[\"']?[^\"'>]{0,100}(?:Product|Review|Book)", re.IGNORECASE
)
_ADDRESSES = {"url", "item", "sameas", "mainentityofpage", "contenturl", "image"}
_SOURCES = {"audio", "embed", "iframe", "source", "track", "video"}
_SCHEMA = re.compile(r"^(?:https?://(?:www\.)?schema\.org/|schema:)", re.IGNORECASE)


@dataclass
class _Syntax:
    """How one of the two writes items, and the items found so far by element."""

    name: str
    scope: str
    kind: str
    prop: str
    ident: tuple[str, ...]
    items: dict[int, Node] = field(default_factory=dict)
    #: Element -> elements whose `itemref` names it.
    referenced: dict[int, list[int]] = field(default_factory=lambda: defaultdict(list))


def microdata(
    tree: LexborHTMLParser, html: str, url: str, problems: list[str]
) -> list[Node]:
    """The page's items as JSON-LD nodes; empty where the page has none of schema.org."""
    if "schema.org/" not in html or not _MICRODATA.search(html):
        return []
    syntax = _Syntax("microdata", "itemscope", "itemtype", "itemprop", ("itemid",))
    return _read(tree, url, syntax, problems)


def rdfa(
    tree: LexborHTMLParser, html: str, url: str, problems: list[str]
) -> list[Node]:
    """The page's RDFa Lite as JSON-LD nodes; empty where it types no product or review."""
    if "typeof" not in html or not _RDFA.search(html):
        return []
    syntax = _Syntax("rdfa", "typeof", "typeof", "property", ("resource", "about"))
    return _read(tree, url, syntax, problems)


def _read(
    tree: LexborHTMLParser, url: str, syntax: _Syntax, problems: list[str]
) -> list[Node]:
    scopes = tree.css(f"[{syntax.scope}]")
    for element in scopes:
        syntax.items[element.mem_id] = _item(element, syntax)
        for name in (element.attributes.get("itemref") or "").split():
            target = _by_id(tree, name)
            if target is not None:
                syntax.referenced[target.mem_id].append(element.mem_id)
    owned: set[int] = set()
    for element in tree.css(f"[{syntax.prop}]"):
        owners = _owners(element, syntax)
        if not owners:
            continue
        try:
            value = syntax.items.get(element.mem_id) or _value(element, url, syntax)
        except ValueError as error:
            problems.append(f"{syntax.name}: {first_line(error)}")
            continue
        owned.add(element.mem_id)
        for owner in owners:
            for name in (element.attributes[syntax.prop] or "").split():
                _add(syntax.items[owner], name, value)
    return [
        syntax.items[element.mem_id]
        for element in scopes
        if element.mem_id not in owned
    ]


def _item(element: LexborNode, syntax: _Syntax) -> Node:
    attributes = element.attributes
    kinds = (attributes.get(syntax.kind) or "").split()
    node: Node = {"@type": [_SCHEMA.sub("", kind) for kind in kinds]}
    ident = next(filter(None, map(attributes.get, syntax.ident)), None)
    return node | {"@id": ident} if ident else node


def _owners(element: LexborNode, syntax: _Syntax) -> list[int]:
    """The innermost item around the element, and those that refer to it by `itemref`."""
    node: LexborNode | None = element
    while node is not None:
        if node.mem_id in syntax.referenced:
            return [
                one for one in syntax.referenced[node.mem_id] if one != element.mem_id
            ]
        node = node.parent
        if node is not None and node.mem_id in syntax.items:
            return [node.mem_id]
    return []


def _add(item: Node, name: str, value: object) -> None:
    name = _SCHEMA.sub("", name)
    # Other vocabularies' terms, such as og:title, say nothing of the item.
    if ":" in name:
        return
    if name not in item:
        item[name] = value
    elif isinstance(item[name], list):
        item[name].append(value)
    else:
        item[name] = [item[name], value]


def _value(element: LexborNode, url: str, syntax: _Syntax) -> str:
    attributes, tag = element.attributes, element.tag
    name = (attributes[syntax.prop] or "").lower()
    if "content" in attributes and attributes["content"] is not None:
        return attributes["content"].strip()
    if tag == "img":
        return urljoin(url, picture_address(element))
    if tag in _SOURCES:
        return urljoin(url, (attributes.get("src") or "").strip())
    if tag == "object":
        return urljoin(url, (attributes.get("data") or "").strip())
    if tag == "link" or (tag in ("a", "area") and name in _ADDRESSES):
        return urljoin(url, (attributes.get("href") or "").strip())
    if tag in ("data", "meter"):
        return (attributes.get("value") or "").strip() or shown_text(element)
    if tag == "time":
        return (attributes.get("datetime") or "").strip() or shown_text(element)
    return shown_text(element)


def _by_id(tree: LexborHTMLParser, name: str) -> LexborNode | None:
    return (
        tree.css_first(f'[id="{name}"]')
        if '"' not in name and "\\" not in name
        else None
    )
