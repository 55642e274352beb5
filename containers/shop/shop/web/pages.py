"""Renders the shop's pages, each once: a catalogue does not change while it is served."""

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from math import ceil
from typing import Generic, TypeVar

from jinja2 import Environment, PackageLoader, StrictUndefined

from shop.reading import Catalogue
from shop.records import Product
from shop.slug import slug
from shop.web.layouts import layout_of
from shop.web.structured import breadcrumb, product_ld

PRODUCTS_A_PAGE = 24
REVIEWS_A_PAGE = 20

T = TypeVar("T")


@dataclass(frozen=True)
class Slice(Generic[T]):
    """One page of a list."""

    rows: Sequence[T]
    page: int
    pages: int
    url: str

    @property
    def next_url(self) -> str | None:
        return f"{self.url}?page={self.page + 1}" if self.page < self.pages else None

    @property
    def previous_url(self) -> str | None:
        if self.page == 1:
            return None
        return self.url if self.page == 2 else f"{self.url}?page={self.page - 1}"


def sliced(rows: Sequence[T], page: int, size: int, url: str) -> Slice[T] | None:
    """Page `page` (from 1) of the rows, None past the end; an empty list has one empty page."""
    pages = max(1, ceil(len(rows) / size))
    if not 1 <= page <= pages:
        return None
    return Slice(rows[(page - 1) * size : page * size], page, pages, url)


class Pages:
    """Address parts in, bytes out; None where there is no such page."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self._made: dict[tuple[str, str, int], bytes | None] = {}
        self._categories: dict[str, list[Product]] = {}
        for product in catalogue.products.values():
            self._categories.setdefault(product.category, []).append(product)
        self._by_slug = {slug(category): category for category in self._categories}
        self._templates = Environment(
            loader=PackageLoader("shop.web"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._templates.globals.update(slug=slug, summary=self.summary)
        self._templates.policies["json.dumps_kwargs"] = {"ensure_ascii": False}

    def home(self) -> bytes:
        """The list of categories."""
        return self._render("home.html", layout="home", categories=self._categories)

    def category(self, name: str, page: int) -> bytes | None:
        """A page of the category with this slug."""
        return self._once(("category", name, page), lambda: self._category(name, page))

    def product(self, product_id: str, page: int) -> bytes | None:
        """A product with a page of its reviews, in its layout."""
        return self._once(
            ("product", product_id, page), lambda: self._product(product_id, page)
        )

    def reviews_json(self, product_id: str, page: int) -> bytes | None:
        """What the script layout's browser asks for."""
        return self._once(
            ("api", product_id, page), lambda: self._reviews_json(product_id, page)
        )

    def sitemap(self, base: str) -> bytes:
        """Every product's address below `base` ("http://host:port"), with the day of its last change."""
        addresses = [
            (f"/p/{product_id}", self._catalogue.last_change(product_id))
            for product_id in self._catalogue.products
        ]
        template = self._templates.get_template("sitemap.xml")
        return template.render(base=base, addresses=addresses).encode()

    def summary(self, product: Product) -> tuple[float | None, int]:
        """Mean stars to one decimal, None without reviews, and the number of reviews."""
        reviews = self._catalogue.reviews_of.get(product.product_id, [])
        mean = (
            round(sum(review.rating for review in reviews) / len(reviews), 1)
            if reviews
            else None
        )
        return mean, len(reviews)

    def _once(
        self, key: tuple[str, str, int], make: Callable[[], bytes | None]
    ) -> bytes | None:
        if key in self._made:
            return self._made[key]
        content = make()
        # What is not there is not remembered, or a crawler that guesses would fill the memory.
        if content is not None:
            self._made[key] = content
        return content

    def _category(self, name: str, page: int) -> bytes | None:
        if name not in self._by_slug:
            return None
        category = self._by_slug[name]
        shown = sliced(self._categories[category], page, PRODUCTS_A_PAGE, f"/c/{name}")
        return shown and self._render(
            "category.html", layout="category", category=category, shown=shown
        )

    def _product(self, product_id: str, page: int) -> bytes | None:
        product = self._catalogue.products.get(product_id)
        if product is None:
            return None
        reviews = self._catalogue.reviews_of.get(product_id, [])
        shown = sliced(reviews, page, REVIEWS_A_PAGE, f"/p/{product_id}")
        if shown is None:
            return None
        layout = layout_of(product_id)
        data = [
            breadcrumb(product),
            product_ld(product, *self.summary(product), list(shown.rows)),
        ]
        return self._render(
            f"product_{layout}.html",
            layout=layout,
            product=product,
            shown=shown,
            structured=data if layout == "jsonld" else [],
        )

    def _reviews_json(self, product_id: str, page: int) -> bytes | None:
        if product_id not in self._catalogue.products:
            return None
        reviews = self._catalogue.reviews_of.get(product_id, [])
        shown = sliced(reviews, page, REVIEWS_A_PAGE, f"/p/{product_id}")
        if shown is None:
            return None
        content = {
            "product_id": product_id,
            "page": shown.page,
            "pages": shown.pages,
            "reviews": [asdict(review) for review in shown.rows],
        }
        return json.dumps(content, ensure_ascii=False).encode()

    def _render(self, template: str, **context: object) -> bytes:
        return self._templates.get_template(template).render(**context).encode()
