"""Findings of a shop from a few of its pages, fetched as the run itself would."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from kindling import extensions
from kindling.errors import DataError
from kindling.look.findings import Findings, Part, Recognised
from kindling.look.verdict import problems
from kindling.ports.source import Haul, SourceTools, read_by
from kindling.records import Product, Review
from kindling.scraping.language import language_of
from kindling.sources.shop import Options, Shop

#: Pages fetched for the showing; a run fetches all of them.
SAMPLE_PAGES = 30
#: Pages fetched where those held too little to tell, if that takes at most so many seconds.
MORE_PAGES = 300
MORE_S = 120.0
_FIELDS: dict[str, Callable[[Review], str]] = {
    "body": lambda review: review.body,
    "stars": lambda review: str(review.rating),
    "title": lambda review: review.title,
    "date": lambda review: review.published,
    "photo": lambda review: review.photo_id or "",
}


class _Forgotten:
    """An object store in memory: a showing leaves no trace but what it prints."""

    def __init__(self) -> None:
        self._kept: dict[str, bytes] = {}

    def put(self, data: bytes, suffix: str) -> str:
        return self.put_named(hashlib.sha256(data).hexdigest() + suffix, data)

    def put_named(self, name: str, data: bytes) -> str:
        self._kept[f"forgotten:{name}"] = data
        return f"forgotten:{name}"

    def put_directory(self, name: str, directory: Path) -> str:
        return f"forgotten:{name}"

    def get(self, uri: str) -> bytes:
        if uri not in self._kept:
            raise DataError(f"{uri} was not kept")
        return self._kept[uri]

    def find_named(self, name: str) -> bytes | None:
        return self._kept.get(f"forgotten:{name}")

    def remove_named(self, name: str) -> None:
        self._kept.pop(f"forgotten:{name}", None)


def look_at_shop(url: str, tools: SourceTools) -> tuple[Findings, Options]:
    """What the shop's first pages hold, and the options of a run over all of them.

    Where the first pages hold too little to tell whether a run is worth it, more are looked at, unless the
    shop asks for so much time between requests that this would take minutes.
    """
    options: Options = extensions.options("source", "shop", {"url": url})
    shop, haul = _sample(options, SAMPLE_PAGES, tools)
    slow = haul.figures["delay_seconds"] * MORE_PAGES > MORE_S
    findings = _findings(url, haul)
    if findings.sampled and not slow and _too_few(findings):
        shop, haul = _sample(options, MORE_PAGES, tools)
        findings = _findings(url, haul)
    if not haul.reviews:
        raise DataError(shop.what_was_there(haul))
    return findings, options


def _sample(options: Options, pages: int, tools: SourceTools) -> tuple[Shop, Haul]:
    sampled = options.model_copy(update={"max_pages": pages})
    shop = Shop(sampled, replace(tools, objects=_Forgotten()))
    return shop, shop.haul()


def _too_few(findings: Findings) -> bool:
    return bool(problems(replace(findings, sampled=False)))


def _findings(url: str, haul: Haul) -> Findings:
    named = {review.product_id for review in haul.reviews}
    languages: dict[str, int] = {}
    for review in haul.reviews:
        code = language_of(review.text)
        languages[code] = languages.get(code, 0) + 1
    photos = [one for one in haul.reviews if one.photo_id]
    return Findings(
        given=f"SHOP={url}",
        parts=[_part(haul)],
        found=haul.found,
        reviews=haul.reviews,
        rejections=haul.rejections,
        products=len(named),
        products_are="column",
        products_named=len(named),
        languages=languages,
        photos_named=len(photos),
        photos_reached=f"{len(haul.photos)} of the shop's photos fetched",
        lines=_lines(haul),
        # Where no page was left out, what is missing is missing.
        sampled=haul.figures["pages_left_at_max_pages"] > 0,
    )


def _part(haul: Haul) -> Part:
    methods = dict.fromkeys(map(read_by, haul.reviews))
    return Part(
        name=f"{len(haul.pages)} pages",
        reading=f"reviews read from {', '.join(methods) or 'none of them'}",
        shape="",
        columns=[
            *_product_fields(haul.products),
            *(
                Recognised(meaning, _share(haul.reviews, read), "page", example)
                for meaning, read in _FIELDS.items()
                if (example := next(filter(None, map(read, haul.reviews)), ""))
            ),
        ],
        unread=(),
        notes=(),
    )


def _product_fields(products: Sequence[Product]) -> list[Recognised]:
    named = [one.name for one in products if one.name]
    filed = [one.category for one in products if one.category]
    total = len(products)
    return [
        Recognised(meaning, f"{len(found)} of {total} products", "page", found[0])
        for meaning, found in (("product_name", named), ("category", filed))
        if found
    ]


def _share(reviews: Sequence[Review], read: Callable[[Review], str]) -> str:
    return f"{sum(bool(read(one)) for one in reviews)} of {len(reviews)} reviews"


def _lines(haul: Haul) -> list[str]:
    figures = haul.figures
    left = figures["pages_left_at_max_pages"]
    walls = figures["challenge_pages"]
    nulls = figures["fields_with_one_witness"]
    return [
        f"robots      {figures['robots_disallowed']} addresses disallowed, "
        f"{figures['delay_seconds']:g} s between requests, {figures['ai_opt_outs']} pages opt out"
        + (f", {walls} ask whether a person reads" if walls else ""),
        f"pages       {figures['pages']} looked at, {figures['requests']} requests"
        + (f", at least {left} more are known" if left else ""),
        f"products    {len(haul.products)} product pages among them; "
        f"{figures['products_not_reached']} not read",
        *(f"one witness {count} reviews: {what}" for what, count in nulls.items()),
        f"stated      {figures['reviews_stated_by_pages']:,} reviews by these pages' own count",
    ]
