"""Pages that a shop's sitemaps name, read before the first page is asked for."""

import asyncio
import logging

from kindling.scraping import sitemap
from kindling.scraping.fetch import FetchError
from kindling.scraping.site import Site
from kindling.scraping.urls import absolute, same_site

log = logging.getLogger(__name__)

#: Sitemaps read for one shop.
_MAX_SITEMAPS = 50


async def sitemap_pages(site: Site) -> list[str]:
    """Pages of the shop that its sitemaps name, as far as its own rules let them be fetched.

    Sitemaps that robots.txt names may lie on other hosts (sitemaps.org, cross submits); where it names
    none, the usual place is tried.
    """
    named = site.robots.sitemaps
    usual = absolute(site.start_url, "/sitemap.xml")
    waiting, done, pages = list(named or [usual]), set[str](), list[str]()
    while waiting and len(done) < _MAX_SITEMAPS:
        url = waiting.pop(0)
        if url in done:
            continue
        done.add(url)
        try:
            answer = await site.fetcher.get(
                url, site.robots, elsewhere=True, max_bytes=sitemap.MAX_BYTES
            )
        except FetchError as error:
            if named:
                log.warning("sitemap left out: %s", error)
            continue
        found, more = await asyncio.to_thread(
            sitemap.locations, answer.body, answer.url
        )
        if not found and not more:
            log.warning("%s: holds no address of the shop", url)
        pages += (
            one
            for one in found
            if same_site(one, site.start_url) and site.robots.allowed(one)
        )
        waiting += (
            one
            for one in more
            if same_site(one, site.start_url) or same_site(one, answer.url)
        )
    return list(dict.fromkeys(pages))
