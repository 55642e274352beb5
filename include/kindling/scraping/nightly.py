"""Between a shop's crawl and the nights around it: what it may ask for, what it goes on from, what it leaves."""

import logging
import resource
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from datetime import UTC, datetime

import httpx

from kindling.ports.objects import ObjectStore
from kindling.ports.source import Account, Night
from kindling.records import Rejection
from kindling.scraping import snapshot, warc
from kindling.scraping.allowance import Allowance
from kindling.scraping.asking import reviews_of
from kindling.scraping.crawl import crawl
from kindling.scraping.fetch import Fetched, Policy, open_fetcher
from kindling.scraping.health import health
from kindling.scraping.mapping import Mapping as CssRules
from kindling.scraping.photos import StoredPhoto, download
from kindling.scraping.reader import Reader
from kindling.scraping.robots import from_response
from kindling.scraping.rows import Rows, join
from kindling.scraping.sharing import Alone, Shared, Sharing
from kindling.scraping.site import Crawl, CrawledPage, Site

log = logging.getLogger(__name__)


def allowance(night: Night, objects: ObjectStore) -> Allowance:
    """What may be asked for tonight, and what the last trusted night kept."""
    if not night.snapshot_uri:
        return Allowance(night.pages)
    uri = night.snapshot_uri
    return Allowance(night.pages, snapshot.decoded(objects.get(uri), uri))


def sharing(night: Night, batch: int) -> Sharing:
    """Over the night's frontier, where there is one."""
    if night.frontier is None:
        return Alone()
    return Shared(night.frontier, night.crawl, batch)


def store(objects: ObjectStore) -> Callable[[Fetched, bool], str]:
    """Keeps a page as one WARC record."""
    return lambda fetched, drawn: objects.put(warc.record(fetched, drawn), warc.SUFFIX)


def load(objects: ObjectStore) -> Callable[[str], bytes]:
    """Gives a kept page's body back."""
    return lambda uri: warc.body_of(objects.get(uri), uri)


async def photos(
    found: Crawl, site: Site, put: Callable[[bytes, str], str]
) -> tuple[dict[str, StoredPhoto], list[Rejection]]:
    """Photos of the crawl's pages; those that only kept pages show come from their night."""
    fresh = {url for page in _of(found, False) for url in page.extraction.photos}
    old = {url for page in _of(found, True) for url in page.extraction.photos} - fresh
    known = site.allowance.earlier.photos
    kept = {url: known[url] for url in sorted(old) if url in known}
    log.info("%d pages; fetching %d photos", len(found.pages), len(fresh))
    got, rejected = await download(
        fresh,
        site.fetcher,
        site.robots,
        put,
        site.sharing,
        site.memory.photo if site.memory else lambda url: None,
    )
    return {**kept, **got}, rejected


def _of(found: Crawl, kept: bool) -> list[CrawledPage]:
    return [page for page in found.pages if (page.action == "kept") == kept]


def account(
    found: Crawl,
    rows: Rows,
    stored: Mapping[str, StoredPhoto],
    objects: ObjectStore,
    cpu: float,
) -> Account:
    """What the crawl cost by action, how it is, and the snapshot that it leaves."""
    left = snapshot.Snapshot(
        pages={page.url: kept_page(page) for page in found.pages},
        photos=stored,
        failed=frozenset(found.failed),
    )
    return Account(
        snapshot_uri=objects.put(left.encoded(), snapshot.SUFFIX),
        requests=dict(found.requests),
        cpu_s=round(cpu, 3),
        known={
            "deeper": sum(bool(page.texts) for page in left.pages.values()),
            "retry": len(left.failed),
        },
        health=asdict(health(found.pages, rows)),
    )


async def replayed(
    url: str, rules: CssRules, uri: str, objects: ObjectStore
) -> tuple[Crawl, Rows]:
    """A night's pages read once more from where they are kept, with today's rules and code.

    No request is made: what the snapshot does not hold is not there.
    """
    earlier = snapshot.decoded(objects.get(uri), uri)
    async with (
        open_fetcher(url, Policy(retries=0), 0, _NoNetwork()) as fetcher,
        Reader(rules) as reader,
    ):
        found = await crawl(
            Site(
                start_url=url.rstrip("/") + "/",
                fetcher=fetcher,
                # What was kept was allowed when it was fetched.
                robots=from_response(404),
                reader=reader,
                store=store(objects),
                renderer=None,
                max_pages=sys.maxsize,
                load=load(objects),
                allowance=Allowance({}, earlier),
            )
        )
    return found, join(found.pages, earlier.photos)


class _NoNetwork(httpx.AsyncBaseTransport):
    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        raise RuntimeError(
            f"a replay asks for nothing, and {request.url} was asked for"
        )


def archived(earlier: snapshot.Snapshot, objects: ObjectStore) -> Iterator[bytes]:
    """A night's pages and photos as WARC records; one after the other they are a WARC file."""
    yield warc.information("kindling", "pages.warc.gz")
    for _, page in sorted(earlier.pages.items()):
        data = objects.get(page.uri)
        if page.uri.endswith(warc.SUFFIX):
            yield data
        else:
            body = warc.body_of(data, page.uri)
            yield warc.record(_answer(page.url, page.content_type, body, page))
    newest = max((page.fetched_at for page in earlier.pages.values()), default=None)
    for url, photo in sorted(earlier.photos.items()):
        kind = _MEDIA[photo.uri.rpartition(".")[2]]
        at = newest or datetime.now(UTC)
        data = objects.get(photo.uri)
        yield warc.record(Fetched(url, 200, {"content-type": kind}, data, at), True)


_MEDIA = {"jpg": "image/jpeg", "png": "image/png", "webp": "image/webp"}


def _answer(
    url: str, content_type: str, body: bytes, page: snapshot.KeptPage
) -> Fetched:
    headers = {"content-type": content_type} if content_type else {}
    return Fetched(url, page.status, headers, body, page.fetched_at)


def kept_page(page: CrawledPage) -> snapshot.KeptPage:
    """What a night's snapshot holds of a page."""
    return snapshot.KeptPage(
        page.url,
        page.uri,
        page.sha256,
        page.status,
        page.fetcher,
        page.fetched_at,
        page.content_type,
        snapshot.digests(reviews_of(page.extraction)),
        page.ended_at,
    )


def cpu_s() -> float:
    """CPU seconds of this process and of those that it has waited for."""
    used = [resource.getrusage(resource.RUSAGE_SELF)]
    used.append(resource.getrusage(resource.RUSAGE_CHILDREN))
    return sum(one.ru_utime + one.ru_stime for one in used)
