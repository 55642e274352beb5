"""Every schema.org node of a page once, with the product around it and the family of variants it is of."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from kindling.scraping.schema_types import is_product, is_review, listed, types
from kindling.scraping.schema_values import text
from kindling.scraping.structured import Node

#: Properties from a product to others of its kind: the reviews of one are those of all.
_VARIANTS = ("hasvariant", "isvariantof", "model", "isproductgroupof")
_REVIEW_KEYS = ("review", "reviews")


@dataclass(frozen=True)
class Placed:
    """A node, the innermost product around it, and the variant that it was found in."""

    node: Node
    owner: Node | None
    #: The id() of the innermost variant node around it; 0 outside of variants.
    variant: int = 0
    #: Whether the node is a variant of the product around it.
    is_variant: bool = False


def walk(roots: list[Node]) -> Iterator[Placed]:
    """Every node once, in document order. No recursion: pages nest as deep as they like."""
    stack: list[tuple[Any, Node | None, str, int]] = [
        (root, None, "", 0) for root in reversed(roots)
    ]
    seen: set[int] = set()
    while stack:
        value, owner, key, variant = stack.pop()
        if isinstance(value, list):
            stack.extend((one, owner, key, variant) for one in reversed(value))
        elif isinstance(value, dict) and id(value) not in seen:
            seen.add(id(value))
            # Some sites leave out the type of what is listed under `review`.
            if key in _REVIEW_KEYS and not types(value) and "@id" not in value:
                value = {**value, "@type": "Review"}
            of_family = key.lower() in _VARIANTS and owner is not None
            inner = value if is_product(value) and not of_family else owner
            # A review's subject is no owner of what the review holds.
            variant = id(value) if of_family else variant
            yield Placed(value, owner, variant, of_family)
            stack.extend(
                (one, inner, name, variant) for name, one in reversed(value.items())
            )


class Families:
    """Which product nodes describe one product: by identity, by reference, by variant, or by equal names."""

    def __init__(self, placed: list[Placed]) -> None:
        self.known = {
            node["@id"]: node
            for node in (one.node for one in placed)
            if isinstance(node.get("@id"), str) and len(node) > 1
        }
        self._root: dict[int, int] = {}
        self._keep = [one.node for one in placed]
        for one in placed:
            if not is_product(one.node):
                continue
            if one.is_variant and one.owner is not None:
                self._tie(one.node, one.owner)
            for key, value in one.node.items():
                if key.lower() in _VARIANTS:
                    for other in map(self.resolved, listed(value)):
                        if isinstance(other, dict):
                            self._tie(one.node, other)

    def resolved(self, value: Any) -> Any:
        """The node that a reference means; the value itself where it is none."""
        if isinstance(value, dict) and isinstance(value.get("@id"), str):
            return self.known.get(value["@id"], value)
        return value

    def same(self, product: Node, other: Node) -> bool:
        """Whether both describe one product, or variants of one."""
        if product is other or self._find(id(product)) == self._find(id(other)):
            return True
        return any(
            text(product.get(key)) and text(product.get(key)) == text(other.get(key))
            for key in ("@id", "sku", "name", "productGroupID", "url")
        )

    def _find(self, key: int) -> int:
        while (above := self._root.get(key, key)) != key:
            key = above
        return key

    def _tie(self, one: Node, other: Node) -> None:
        first, second = self._find(id(one)), self._find(id(other))
        if first != second:
            self._root[first] = second


def reviews_of(placed: list[Placed]) -> list[Placed]:
    """The review nodes that say something, in document order."""
    return [
        one
        for one in placed
        if is_review(one.node) and (len(one.node) > 2 or "@id" not in one.node)
    ]
