"""The shop's routes, and the count of who asked for what."""

import hashlib
from collections import Counter

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from shop.reading import Catalogue
from shop.web.pages import Pages

ROBOTS = """User-agent: *
Disallow: /api/
Disallow: /account/
Disallow: /search
Disallow: /stats.json
Allow: /
Crawl-delay: 0

Sitemap: {base}/sitemap.xml
"""
#: First part of a path -> the kind it is counted as.
KINDS = {
    "": "home",
    "c": "category",
    "p": "product",
    "photos": "photo",
    "api": "api",
    "sitemap.xml": "sitemap",
    "robots.txt": "robots",
    "account": "trap",
    "healthz": "health",
    "stats.json": "stats",
}


class Counting:
    """Counts requests by kind of path."""

    def __init__(self, app: ASGIApp, hits: Counter[str]) -> None:
        self._app = app
        self._hits = hits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            first = scope["path"].split("/", 2)[1]
            self._hits[KINDS.get(first, "other")] += 1
        await self._app(scope, receive, send)


class Shop:
    """The endpoints over one catalogue."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self._pages = Pages(catalogue)
        self.hits: Counter[str] = Counter(
            {kind: 0 for kind in (*KINDS.values(), "other")}
        )

    def app(self) -> ASGIApp:
        """The application."""
        routes = [
            Route("/", self.home),
            Route("/c/{name}", self.category),
            Route("/p/{product_id}", self.product),
            Route("/photos/{name}", self.photo),
            Route("/api/products/{product_id}/reviews", self.api),
            Route("/sitemap.xml", self.sitemap),
            Route("/robots.txt", self.robots),
            Route("/account/trap", self.trap),
            Route("/healthz", self.health),
            Route("/stats.json", self.stats),
        ]
        return Counting(Starlette(routes=routes), self.hits)

    async def home(self, request: Request) -> Response:
        return _html(request, self._pages.home())

    async def category(self, request: Request) -> Response:
        name = request.path_params["name"]
        return _html(request, self._pages.category(name, _page(request)))

    async def product(self, request: Request) -> Response:
        product_id = request.path_params["product_id"]
        return _html(request, self._pages.product(product_id, _page(request)))

    async def photo(self, request: Request) -> Response:
        content = self._catalogue.photos.get(request.path_params["name"])
        if content is None:
            return PlainTextResponse("no such photo", status_code=404)
        return Response(
            content, media_type="image/jpeg", headers={"Cache-Control": "max-age=86400"}
        )

    async def api(self, request: Request) -> Response:
        content = self._pages.reviews_json(
            request.path_params["product_id"], _page(request)
        )
        if content is None:
            return JSONResponse({"error": "no such page"}, status_code=404)
        return Response(content, media_type="application/json")

    async def sitemap(self, request: Request) -> Response:
        return Response(
            self._pages.sitemap(_base(request)), media_type="application/xml"
        )

    async def robots(self, request: Request) -> Response:
        return PlainTextResponse(ROBOTS.format(base=_base(request)))

    async def trap(self, request: Request) -> Response:
        return PlainTextResponse("robots.txt asks crawlers not to come here")

    async def health(self, request: Request) -> Response:
        counts = self._catalogue.manifest.counts
        return JSONResponse(
            {
                "status": "ok",
                "kind": self._catalogue.manifest.kind,
                "products": counts["products"],
                "reviews": counts["reviews"],
            }
        )

    async def stats(self, request: Request) -> Response:
        return JSONResponse(dict(self.hits))


def _html(request: Request, content: bytes | None) -> Response:
    """The page with its validator, or 304 for who holds it already (RFC 9110, 13.1.2)."""
    if content is None:
        return PlainTextResponse("no such page", status_code=404)
    tag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
    held = request.headers.get("if-none-match", "")
    if tag in (one.strip() for one in held.split(",")):
        return Response(status_code=304, headers={"ETag": tag})
    return HTMLResponse(content, headers={"ETag": tag})


def _base(request: Request) -> str:
    return str(request.base_url).rstrip("/")


def _page(request: Request) -> int:
    """The `page` parameter; 0, which no list has, when it is no number."""
    text = request.query_params.get("page", "1")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0
