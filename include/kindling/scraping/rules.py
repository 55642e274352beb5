"""A mapping's CSS rules, applied to a page."""

import re
from collections.abc import Iterator
from dataclasses import replace

from selectolax.lexbor import LexborHTMLParser, LexborNode

from kindling.scraping.document import MAX_DEPTH
from kindling.scraping.findings import FoundProduct, FoundReview, Links
from kindling.scraping.mapping import LinkRules, Mapping, ReviewRules, Rule
from kindling.scraping.rating import Rating, parse_rating
from kindling.scraping.rating_element import contradicted, verified_rating
from kindling.scraping.structure import ancestors
from kindling.scraping.text import shown_text
from kindling.scraping.urls import absolute, same_site

#: The name of a layout that was found by its structure.
INDUCED = "induced"


def products(tree: LexborHTMLParser, mapping: Mapping, url: str) -> FoundProduct | None:
    """The product by the first layout that fits, with the fields that stand in the same place everywhere."""
    for rules in mapping.products:
        item = tree.css_first(rules.item)
        if item is not None and (product_id := value_of(item, rules.product_id)):
            return with_page_fields(
                FoundProduct(product_id, value_of(item, rules.name)), tree, mapping, url
            )
    return None


def with_page_fields(
    product: FoundProduct, tree: LexborHTMLParser, mapping: Mapping, url: str
) -> FoundProduct:
    """The product with what it leaves open filled from the page's common fields."""
    count, rating = stated(tree, mapping)
    return replace(
        product,
        category=product.category or _page_value(tree, mapping.page.category),
        photo_urls=product.photo_urls
        or (_all(tree.body, mapping.page.photo, url) if tree.body else ()),
        stated_reviews=count
        if product.stated_reviews is None
        else product.stated_reviews,
        stated_rating=rating
        if product.stated_rating is None
        else product.stated_rating,
    )


def stated(tree: LexborHTMLParser, mapping: Mapping) -> tuple[int | None, float | None]:
    """How many reviews, and which mean rating, the visible page says that it has."""
    digits = re.sub(r"[^0-9]", "", _page_value(tree, mapping.page.stated_reviews))
    rating = parse_rating(_page_value(tree, mapping.page.stated_rating))
    return int(digits) if 0 < len(
        digits
    ) < 10 else None, rating.value if rating else None


def reviews(tree: LexborHTMLParser, mapping: Mapping, url: str) -> list[FoundReview]:
    """Reviews of every layout that the mapping knows, in document order within a layout.

    What one layout has read, no later one reads again, be it by an element inside or around.
    """
    found: list[FoundReview] = []
    inside: set[int] = set()
    around: set[int] = set()
    for rules in mapping.reviews:
        items = [
            item
            for item in tree.css(rules.item)
            if item.mem_id not in around and inside.isdisjoint(_lineage(item))
        ]
        found += [_review(item, rules, mapping, url) for item in items]
        inside.update(item.mem_id for item in items)
        around.update(one for item in items for one in _lineage(item))
    return found


def _lineage(node: LexborNode) -> Iterator[int]:
    """Identities of an element and of all that it stands in."""
    return (one.mem_id for one in (node, *ancestors(node, MAX_DEPTH)))


def visible_ratings(tree: LexborHTMLParser, mapping: Mapping) -> dict[str, float]:
    """Review id -> rating as people see it, where the mapping says where that is."""
    found: dict[str, float] = {}
    for rules in mapping.visible:
        for item in tree.css(rules.item):
            rating = parse_rating(value_of(item, rules.rating))
            if rating:
                found[value_of(item, rules.review_id)] = rating.value
    return found


def links(tree: LexborHTMLParser, rules: LinkRules, url: str) -> Links:
    """The page's links on its own origin; those that lead off it are none of the crawl's business."""
    following = _targets(tree, rules.next, url)
    listings = _targets(tree, rules.listing, url)
    found_products = _targets(tree, rules.product, url)
    taken = {*following, *listings, *found_products, url}
    return Links(
        next=next((one for one in following if one != url), ""),
        listings=listings,
        products=found_products,
        others=tuple(one for one in _targets(tree, "a[href]", url) if one not in taken),
    )


def value_of(item: LexborNode, rule: Rule | None) -> str:
    """The field's text, empty where the rule finds nothing."""
    if rule is None:
        return ""
    node = _first(item, rule)
    if node is None:
        return ""
    value = (node.attributes.get(rule.attr) or "") if rule.attr else shown_text(node)
    if rule.regex:
        match = re.search(rule.regex, value)
        return (match[1] or "").strip() if match else ""
    return value.strip()


def _review(
    item: LexborNode, rules: ReviewRules, mapping: Mapping, url: str
) -> FoundReview:
    rating = _rating(item, rules)
    induced = rules.name == INDUCED
    return FoundReview(
        review_id=value_of(item, rules.review_id),
        title=value_of(item, rules.title),
        body=value_of(item, rules.body),
        rating=rating.value if rating else None,
        best=rating.best if rating else None,
        author=value_of(item, rules.author),
        published=value_of(item, rules.published),
        photo_url=next(iter(_all(item, rules.photo, url)), ""),
        method="induced" if induced else "css",
        extractor=f"css:{mapping.label}/{rules.name}",
    )


def _rating(item: LexborNode, rules: ReviewRules) -> Rating | None:
    """What the rule's element states, unless it shows another rating beside it.

    A rule that nobody has looked at needs two witnesses.
    """
    node = _first(item, rules.rating)
    if node is None:
        return None
    if rules.name == INDUCED:
        return verified_rating(node, item)
    found = parse_rating(value_of(item, rules.rating))
    return None if found is None or contradicted(node, found) else found


def _page_value(tree: LexborHTMLParser, rule: Rule | None) -> str:
    return value_of(tree.body, rule) if tree.body else ""


def _all(item: LexborNode, rule: Rule | None, url: str) -> tuple[str, ...]:
    """Addresses in an attribute of every element that the rule finds."""
    if rule is None:
        return ()
    found = (
        absolute(url, node.attributes.get(rule.attr) or "")
        for node in _found(item, rule)
    )
    return tuple(dict.fromkeys(one for one in found if one and one != url))


def _first(item: LexborNode, rule: Rule) -> LexborNode | None:
    if not rule.css:
        return item
    for css in rule.css:
        node = item.css_first(css)
        if node is not None:
            return node
    return None


def _found(item: LexborNode, rule: Rule) -> list[LexborNode]:
    if not rule.css:
        return [item]
    return next((nodes for css in rule.css if (nodes := item.css(css))), [])


def _targets(tree: LexborHTMLParser, selector: str, url: str) -> tuple[str, ...]:
    if not selector:
        return ()
    found = (
        absolute(url, node.attributes.get("href") or "") for node in tree.css(selector)
    )
    return tuple(dict.fromkeys(one for one in found if one and same_site(one, url)))
