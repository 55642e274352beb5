"""Rules for a shop's pages from their own structure, where nothing else reads them, and the trial before use."""

import asyncio
import logging
from collections.abc import Callable, Mapping

from kindling.errors import DataError
from kindling.scraping.asking import reviews_of
from kindling.scraping.findings import Extraction
from kindling.scraping.induction import Verdict
from kindling.scraping.quarantine import MAX_TRIALS, Trial, refusal, spread
from kindling.scraping.reading import MAX_SAMPLES, SavedPage
from kindling.scraping.site import CrawledPage, Site
from kindling.scraping.snapshot import KeptPage, digests

log = logging.getLogger(__name__)


class Learning:
    """Looks once in a crawl; pages are read from the store, not fetched again."""

    def __init__(self, site: Site) -> None:
        self._site = site
        #: What came of it; None before, and where there was nothing to look at.
        self.verdict: Verdict | None = None
        #: Why rules that were found are not used; empty where they are, or where none were found.
        self.quarantined = ""

    async def look(self, pages: Mapping[str, CrawledPage]) -> dict[str, Extraction]:
        """What rules found tonight read of pages without reviews; nothing where they are not to be used."""
        load = self._site.load
        bare = [
            url for url, page in sorted(pages.items()) if not page.extraction.reviews
        ]
        if load is None or self.verdict is not None or len(bare) < 2:
            return {}
        with_reviews = [
            url for url, page in sorted(pages.items()) if page.extraction.reviews
        ]
        chosen = [*spread(bare, MAX_SAMPLES), *spread(with_reviews, MAX_SAMPLES // 2)]
        samples = [await _saved(pages[url], load) for url in chosen]
        self.verdict = await self._site.reader.learn(samples)
        if self.verdict.rules is None:
            log.info("no rules in the pages' structure: %s", self.verdict.why)
            return {}
        log.info("rules in the pages' structure: items are %s", self.verdict.rules.item)
        found = {url: await self._read_again(pages[url], load) for url in bare}
        if why := await self._in_quarantine(found, load):
            log.warning("the rules are not used: %s", why)
            self.quarantined = why
            self._site.reader.unlearn()
            return {}
        return {
            url: extraction for url, extraction in found.items() if extraction.reviews
        }

    async def _in_quarantine(
        self, found: dict[str, Extraction], load: Callable[[str], bytes]
    ) -> str:
        """Why rules of a shop that was read on earlier nights are not to be used yet."""
        earlier = self._site.allowance.earlier.pages
        trusted = [url for url, page in sorted(earlier.items()) if page.texts]
        tried = [
            await self._trial(earlier[url], load) for url in spread(trusted, MAX_TRIALS)
        ]
        old = [one for one in tried if one is not None]
        changed = [
            Trial(earlier[url].texts, digests(reviews_of(found[url])))
            for url in trusted
            if url in found
        ]
        return refusal(old, changed[:MAX_TRIALS])

    async def _trial(
        self, page: KeptPage, load: Callable[[str], bytes]
    ) -> Trial | None:
        """The page as it was read and as it is read now; None where it is not stored any more."""
        try:
            found = await self._read_again(page, load)
        except DataError:
            log.info("%s was forgotten since: no trial of the rules", page.url)
            return None
        return Trial(page.texts, digests(reviews_of(found)))

    async def _read_again(
        self, page: CrawledPage | KeptPage, load: Callable[[str], bytes]
    ) -> Extraction:
        body = await asyncio.to_thread(load, page.uri)
        at = page.ended_at or page.url
        return await self._site.reader.read(body, at, page.content_type)


async def _saved(page: CrawledPage, load: Callable[[str], bytes]) -> SavedPage:
    body = await asyncio.to_thread(load, page.uri)
    return SavedPage(page.url, page.url, body, page.content_type)
