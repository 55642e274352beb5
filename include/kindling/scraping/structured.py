"""JSON-LD and microdata of a page, brought to one shape: JSON-LD nodes.

extruct does the reading. It gets each JSON-LD block by itself, so that a damaged one costs only itself, and
microdata only where the page has some, for it parses the page a second time.
"""

import re
from typing import Any

from extruct.jsonld import JsonLdExtractor
from extruct.w3cmicrodata import MicrodataExtractor
from lxml.etree import LxmlError
from selectolax.lexbor import LexborHTMLParser

Node = dict[str, Any]

_JSON_LD = JsonLdExtractor()
_MICRODATA = MicrodataExtractor()
_MICRODATA_TYPE = re.compile(
    r"itemtype\s*=\s*[\"']?[^\"'>]{0,200}schema\.org/(?:\w*Product\w*|Review)\b",
    re.IGNORECASE,
)
_XML_DECLARATION = re.compile(r"^\s*<\?xml[^>]*\?>")


def json_ld(tree: LexborHTMLParser, problems: list[str]) -> list[Node]:
    """The nodes of every block that can be read; a block that cannot is a problem with its position."""
    nodes: list[Node] = []
    for position, script in enumerate(
        tree.css('script[type="application/ld+json" i]'), start=1
    ):
        block = script.text()
        try:
            found = _JSON_LD.extract(
                f'<script type="application/ld+json">{block}</script>'
            )
        except (ValueError, RecursionError, LxmlError) as error:
            problems.append(f"json-ld block {position}: {_first_line(error)}")
            continue
        nodes.extend(node for node in found if isinstance(node, dict))
    return nodes


def microdata(html: str, url: str, problems: list[str]) -> list[Node]:
    """The page's items as JSON-LD nodes; empty where the page has no product or review in microdata."""
    if not _MICRODATA_TYPE.search(html):
        return []
    try:
        items = _MICRODATA.extract(_XML_DECLARATION.sub("", html), base_url=url)
        return [_node(item) for item in items]
    except (ValueError, RecursionError, LxmlError) as error:
        problems.append(f"microdata: {_first_line(error)}")
        return []


def _node(item: Any) -> Any:
    """An extruct item as a JSON-LD node."""
    if isinstance(item, list):
        return [_node(one) for one in item]
    if not isinstance(item, dict):
        return item
    node: Node = {"@type": item.get("type", [])}
    if "id" in item:
        node["@id"] = item["id"]
    if "value" in item:
        node["@value"] = item["value"]
    return node | {
        name: _node(value) for name, value in item.get("properties", {}).items()
    }


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200]
