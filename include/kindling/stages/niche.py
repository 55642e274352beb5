"""A niche that nobody sells is a typing mistake, and is said to be one as soon as products are known."""

import difflib
from collections.abc import Iterable, Sequence

from kindling.errors import ConfigurationError
from kindling.records import Product


def refuse_unknown(niche: Sequence[str], products: Iterable[Product]) -> None:
    """ConfigurationError for a niche category that no product has, with the likeliest one meant."""
    known = sorted({product.category for product in products})
    for category in niche:
        if category not in known:
            raise ConfigurationError(
                f"niche {category!r}: no product is of that category{_meant(category, known)};"
                f" known: {', '.join(known) or 'none'}"
            )


def _meant(category: str, known: Sequence[str]) -> str:
    by_folded = {one.casefold(): one for one in known}
    close = difflib.get_close_matches(category.casefold(), by_folded, n=1, cutoff=0.6)
    return f"; did you mean {by_folded[close[0]]!r}?" if close else ""
