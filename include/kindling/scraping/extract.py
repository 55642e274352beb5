"""One page in, its findings out: structured data first, then CSS rules, then what the two say of each other.

Everything on a page is data. Nothing here runs, follows or obeys what the text says.
"""

from collections import Counter
from dataclasses import replace

from selectolax.lexbor import LexborHTMLParser
from w3lib.html import get_base_url

from kindling.scraping import (
    breadcrumbs,
    discovery,
    embedded,
    items,
    opt_out,
    rules,
    schema_org,
    structured,
    walls,
    witnesses,
)
from kindling.scraping.document import MAX_DEPTH, decoded, parsable, too_deep
from kindling.scraping.findings import (
    Extraction,
    FoundProduct,
    FoundReview,
    Links,
    Method,
)
from kindling.scraping.mapping import Mapping
from kindling.scraping.rating import stars
from kindling.scraping.signs import layout_of, signs_of_reviews
from kindling.scraping.structured import Node
from kindling.scraping.text import shown_text
from kindling.scraping.urls import last_segment, same_site

_RATING_TOLERANCE = 0.11
_SAME_START = 60


def extract(
    body: bytes, url: str, mapping: Mapping, content_type: str = ""
) -> Extraction:
    """Product, reviews, photos and links of a page; damage is recorded in `problems`, never raised."""
    html, problems = decoded(body, content_type)
    if too_deep(html):
        return Extraction(
            None,
            (),
            Links(),
            problems=(f"elements nested deeper than {MAX_DEPTH}, not parsed",),
        )
    html = parsable(html)
    tree = LexborHTMLParser(html)
    base = _base_url(html, url)
    layout, refusal = layout_of(tree), opt_out.in_page(tree)
    count, mean = rules.stated(tree, mapping)
    product, found = _structured(tree, html, base, problems)
    if not found and product is None and (wall := walls.in_page(tree)):
        return Extraction(None, (), Links(), layout=layout, opt_out=refusal, wall=wall)
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
    reviews = [_verified(review, seen) for review in reviews]
    reviews = witnesses.witnessed(reviews, witnesses.Shown(tree, _language(tree)))
    return Extraction(
        product=full,
        reviews=tuple(reviews),
        links=_links(tree, mapping, base),
        problems=tuple(problems),
        checked=checked,
        conflicts=conflicts,
        signs=() if reviews else signs,
        layout=layout,
        opt_out=refusal,
        language=_language(tree),
    )


def _structured(
    tree: LexborHTMLParser, html: str, url: str, problems: list[str]
) -> tuple[FoundProduct | None, list[FoundReview]]:
    product, found = schema_org.read(structured.json_ld(tree, problems), url, "json-ld")
    syntaxes: tuple[tuple[Method, list[Node]], ...] = (
        ("microdata", items.microdata(tree, html, url, problems)),
        ("rdfa", items.rdfa(tree, html, url, problems)),
    )
    for method, nodes in syntaxes:
        if nodes:
            other, more = schema_org.read(nodes, url, method)
            product, found = product or other, _joined(found, more)
    return product, _joined(found, embedded.reviews(tree, url))


def _joined(first: list[FoundReview], second: list[FoundReview]) -> list[FoundReview]:
    """All of the first, and those of the second that it does not have, counted: two may read the same."""
    if not first or not second:
        return first or second
    ids = {review.review_id for review in first} - {""}
    if ids & {review.review_id for review in second}:
        return [*first, *(review for review in second if review.review_id not in ids)]
    texts = Counter(_fold(review.body or review.title) for review in first)
    joined = list(first)
    for review in second:
        # By the body alone: one syntax may leave the title out, or write it before the body.
        start = _fold(review.body or review.title)
        if texts[start] <= 0:
            joined.append(review)
        texts[start] -= 1
    return joined


def _fold(text: str) -> str:
    return "".join(char for char in text.lower() if char.isalnum())[:_SAME_START]


def _links(tree: LexborHTMLParser, mapping: Mapping, base: str) -> Links:
    """By the mapping's rules; by structure where it has none for products and listings."""
    if mapping.links.product or mapping.links.listing:
        return rules.links(tree, mapping.links, base)
    return discovery.links(tree, base)


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
            last_segment(url), shown_text(heading) if heading else ""
        )
    full = rules.with_page_fields(product, tree, mapping, base)
    if full.category:
        return full
    return replace(full, category=breadcrumbs.category_of(tree, full.name))


def _stated(product: FoundProduct | None, visible: int | None) -> int | None:
    if product is None:
        return visible
    stated = (product.stated_reviews, visible, product.stated_ratings)
    return next((count for count in stated if count is not None), None)


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


def _verified(review: FoundReview, seen: dict[str, float]) -> FoundReview:
    """The review without its rating where people see another one than structured data states."""
    shown = seen.get(review.review_id)
    if shown is None or review.rating is None:
        return review
    stated = stars(review.rating, review.best, review.worst)
    if stated == shown:
        return review
    return replace(
        review, rating=None, doubts=(*review.doubts, "rating, shown otherwise")
    )


def _language(tree: LexborHTMLParser) -> str:
    root = tree.root
    tag = (root.attributes.get("lang") or "").strip() if root is not None else ""
    return tag if len(tag) <= 35 else ""


def _base_url(html: str, url: str) -> str:
    """The page's own <base>, where it stays on the shop's origin."""
    try:
        base = get_base_url(html, url)
    except ValueError:
        return url
    return base if same_site(base, url) else url
