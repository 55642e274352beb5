"""One page in, its findings out: structured data first, then CSS rules, then what the two say of each other.

Everything on a page is data. Nothing here runs, follows or obeys what the text says.
"""

import re
from collections import Counter

from selectolax.lexbor import LexborHTMLParser
from w3lib.encoding import html_to_unicode
from w3lib.html import get_base_url

from kindling.scraping import opt_out, rules, schema_org, structured
from kindling.scraping.findings import Extraction, FoundProduct, FoundReview, Links
from kindling.scraping.mapping import Mapping
from kindling.scraping.rating import stars
from kindling.scraping.signs import layout_of, signs_of_reviews
from kindling.scraping.urls import last_segment, same_origin

# Elements that HTML closes by itself do not pile up.
_TAG = re.compile(r"<(/?)([a-z][a-z0-9-]*)", re.IGNORECASE)
_SELF_CLOSED = frozenset((
    "p", "li", "dt", "dd", "option", "optgroup", "tr", "td", "th", "thead", "tbody", "tfoot", "area", "base",
    "br", "col", "embed", "hr", "img", "input", "link", "meta", "param", "source", "track", "wbr", "html",
    "body", "head", "path", "rect", "circle", "use", "polygon", "line", "ellipse", "polyline", "stop",
))  # fmt: skip
#: A parser's time grows with tags times depth; the deepest of 61 real product pages has 170.
_MAX_DEPTH = 512
_RATING_TOLERANCE = 0.11
_SAME_START = 60


def extract(
    body: bytes, url: str, mapping: Mapping, content_type: str = ""
) -> Extraction:
    """Product, reviews, photos and links of a page; damage is recorded in `problems`, never raised."""
    html = html_to_unicode(content_type or None, body)[1]
    if _too_deep(html):
        return Extraction(
            None,
            (),
            Links(),
            problems=(f"elements nested deeper than {_MAX_DEPTH}, not parsed",),
        )
    tree = LexborHTMLParser(html)
    problems: list[str] = []
    base = _base_url(html, url)
    layout, refusal = layout_of(tree), opt_out.in_page(tree)
    count, mean = rules.stated(tree, mapping)
    product, found = _structured(tree, html, base, problems)
    # Before the rules are applied: they take scripts and noscript out of the elements that they read.
    visible_product = rules.products(tree, mapping, base)
    signs = signs_of_reviews(
        tree, product or visible_product, _stated(product, count), mapping
    )
    seen = rules.visible_ratings(tree, mapping)
    reviews = _joined(found, rules.reviews(tree, mapping, base))
    full = _complete(
        product or visible_product, tree, mapping, base, url, bool(reviews)
    )
    checked, conflicts = _cross_check(found, seen, product, count, mean)
    return Extraction(
        product=full,
        reviews=tuple(reviews),
        links=rules.links(tree, mapping.links, base),
        problems=tuple(problems),
        checked=checked,
        conflicts=conflicts,
        signs=() if reviews else signs,
        layout=layout,
        opt_out=refusal,
    )


def _structured(
    tree: LexborHTMLParser, html: str, url: str, problems: list[str]
) -> tuple[FoundProduct | None, list[FoundReview]]:
    product, found = schema_org.read(structured.json_ld(tree, problems), url, "json-ld")
    other, more = schema_org.read(
        structured.microdata(html, url, problems), url, "microdata"
    )
    return product or other, _joined(found, more)


def _joined(first: list[FoundReview], second: list[FoundReview]) -> list[FoundReview]:
    """All of the first, and those of the second that it does not have, counted: two may read the same."""
    ids = {review.review_id for review in first} - {""}
    if ids & {review.review_id for review in second}:
        return [*first, *(review for review in second if review.review_id not in ids)]
    texts = Counter(_fold(review) for review in first)
    joined = list(first)
    for review in second:
        if texts[_fold(review)] <= 0:
            joined.append(review)
        texts[_fold(review)] -= 1
    return joined


def _fold(review: FoundReview) -> str:
    return "".join(
        char for char in f"{review.title}{review.body}".lower() if char.isalnum()
    )[:_SAME_START]


def _complete(
    product: FoundProduct | None,
    tree: LexborHTMLParser,
    mapping: Mapping,
    base: str,
    url: str,
    has_reviews: bool,
) -> FoundProduct | None:
    """The product with the page's common fields; named after the address where reviews stand without one."""
    if product is None:
        if not has_reviews:
            return None
        heading = tree.css_first("h1") or tree.css_first("title")
        product = FoundProduct(
            last_segment(url), rules.shown_text(heading) if heading else ""
        )
    return rules.with_page_fields(product, tree, mapping, base)


def _stated(product: FoundProduct | None, visible: int | None) -> int | None:
    return (
        product.stated_reviews
        if product and product.stated_reviews is not None
        else visible
    )


def _cross_check(
    reviews: list[FoundReview],
    seen: dict[str, float],
    product: FoundProduct | None,
    stated_reviews: int | None,
    stated_rating: float | None,
) -> tuple[int, tuple[str, ...]]:
    """How many values structured data and visible page both state, and those that differ."""
    pairs = [
        (f"review {one.review_id}: rating", float(scaled), seen[one.review_id], 0.0)
        for one in reviews
        if one.review_id in seen
        and one.rating is not None
        and (scaled := stars(one.rating, one.best, one.worst)) is not None
    ]
    if product and product.stated_reviews is not None and stated_reviews is not None:
        pairs.append(
            ("review count", float(product.stated_reviews), float(stated_reviews), 0.0)
        )
    if product and product.stated_rating is not None and stated_rating is not None:
        pairs.append(
            ("mean rating", product.stated_rating, stated_rating, _RATING_TOLERANCE)
        )
    conflicts = tuple(
        f"{what} {stated:g} in structured data, {shown:g} on the page"
        for what, stated, shown, tolerance in pairs
        if abs(stated - shown) > tolerance
    )
    return len(pairs), conflicts


def _base_url(html: str, url: str) -> str:
    """The page's own <base>, where it stays on the shop's origin."""
    try:
        base = get_base_url(html, url)
    except ValueError:
        return url
    return base if same_origin(base, url) else url


def _too_deep(html: str) -> bool:
    depth = 0
    for closing, tag in _TAG.findall(html):
        if tag.lower() not in _SELF_CLOSED:
            depth = max(0, depth - 1) if closing else depth + 1
            if depth > _MAX_DEPTH:
                return True
    return False
