"""What every index adapter checks alike: names of versions, and filters."""

import re
from collections.abc import Iterator

from kindling.ports.index import Filters

#: Fit for a folder, an index of Elasticsearch and a SQL literal.
VERSION = re.compile(r"[a-z0-9][a-z0-9_-]{0,99}")
#: Fields of `Document` that are matched whole, besides the number `rating`.
EXACT_FIELDS = ("review_id", "product_id", "category", "sentiment")


def checked(version: str) -> str:
    """The version; ValueError when it cannot be a name everywhere."""
    if not VERSION.fullmatch(version):
        raise ValueError(f"index version {version!r} does not match {VERSION.pattern}")
    return version


def wanted(filters: Filters | None) -> Iterator[tuple[str, list[str | int]]]:
    """Each filtered field with its accepted values; ValueError for an unknown field or a value of another type."""
    for field, value in (filters or {}).items():
        if field != "rating" and field not in EXACT_FIELDS:
            raise ValueError(
                f"no filter on {field!r}; known: rating, {', '.join(EXACT_FIELDS)}"
            )
        values = [value] if isinstance(value, str | int) else list(value)
        kind = int if field == "rating" else str
        if not all(isinstance(one, kind) for one in values):
            raise ValueError(
                f"filter {field!r} takes {kind.__name__} values, got {values!r}"
            )
        yield field, values
