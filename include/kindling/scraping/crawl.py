"""From the start page through listings to product pages and their next pages, every address once.

The frontier goes by levels: each level's addresses are known and put in order before one of them is fetched,
so that the result depends neither on concurrency nor on which answer comes first.
"""

import logging
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from kindling.errors import DataError, TransientError
from kindling.records import Rejection
from kindling.scraping.asking import Answer, Asking
from kindling.scraping.fetch import FetchError
from kindling.scraping.findings import Extraction
from kindling.scraping.learning import Learning
from kindling.scraping.site import Crawl, CrawledPage, LayoutVerdict, Site
from kindling.scraping.sitemap_pages import sitemap_pages
from kindling.scraping.urls import page_key

log = logging.getLogger(__name__)

#: Pages of a layout that are drawn before the rest of it is.
_PROBES = 3
#: Next pages followed from one listing or product; a list that never ends is a trap.
_MAX_CHAIN = 1_000
#: Pages between two lines of progress.
_TELL_EVERY = 200


@dataclass
class _Chain:
    """Next pages that hang together: how far it goes, and which reviews it brought."""

    length: int = 1
    seen: set[tuple[str, str]] = field(default_factory=set)


async def crawl(site: Site) -> Crawl:
    """All reachable pages; TransientError when the start is out of reach, DataError when it is disallowed."""
    if not site.robots.available:
        raise TransientError(
            f"{site.start_url}: robots.txt does not answer ({site.robots.why}), so nothing may be fetched "
            "(RFC 9309); check that the shop runs, and try again"
        )
    if not site.robots.allowed(site.start_url):
        raise DataError(
            f"{site.start_url}: robots.txt disallows it; choose another shop, or ask its owner"
        )
    if refusal := site.robots.ai_opt_out(site.start_url):
        raise DataError(
            f"{site.start_url}: the shop refuses use of its pages for AI training ({refusal}); "
            "choose another shop, or ask its owner"
        )
    work = _Work(site)
    named = (
        sorted(site.allowance.earlier.pages)
        if site.allowance.rests
        else await sitemap_pages(site)
    )
    frontier = work.new([site.start_url, *named])
    while frontier:
        frontier = (
            await work.level(frontier)
            or await work.draw_lossy()
            or await work.learn_structure()
        )
    return work.result()


class _Work:
    """The state of one crawl."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._renderer = site.renderer
        self._asking = Asking(site)
        self._failed: set[str] = set(site.allowance.earlier.failed)
        #: Keys of pages, for one page has several addresses.
        self._known: set[str] = set()
        self._pages: dict[str, CrawledPage] = {}
        self._rejections: dict[str, Rejection] = {}
        self._unreached: set[str] = set()
        self._chains: dict[str, _Chain] = defaultdict(_Chain)
        self._judged: set[str] = set()
        self._verdicts: list[LayoutVerdict] = []
        self._learning = Learning(site)
        self._attempted = self._outages = self._left = self._told = 0

    def new(self, urls: Iterable[str]) -> list[str]:
        """Those of the addresses whose page is not known yet, in their order; they are known from now on."""
        found: list[str] = []
        for url in urls:
            key = page_key(url)
            if key not in self._known:
                self._known.add(key)
                found.append(url)
        return found

    async def level(self, urls: list[str]) -> list[str]:
        """Get these addresses; returns those that their pages newly lead to."""
        room = self._site.max_pages - self._attempted
        self._left += max(0, len(urls) - room)
        urls = urls[:room]
        paid, kept = self._paid(urls)
        self._attempted += len(paid)
        drawn = await self._drawn_at_once(list(paid))
        rest = [url for url in paid if url not in drawn]
        answers = await self._site.sharing.answers(rest, self._asking.fetching)
        for url, answer in (answers | drawn).items():
            self._take(url, answer, paid[url])
        self._judge(sorted(drawn))
        for url in kept:
            page = self._site.allowance.earlier.pages[url]
            self._take(url, await self._asking.kept(page), "kept")
        if self._attempted >= self._told + _TELL_EVERY:
            self._told = self._attempted
            log.info(
                "fetched %d pages, %d of them with reviews",
                len(self._pages),
                sum(bool(page.extraction.reviews) for page in self._pages.values()),
            )
        return self._leads([url for url in urls if url in self._pages])

    async def _drawn_at_once(self, urls: list[str]) -> dict[str, Answer]:
        """Answers for those pages that a browser had to draw when they were last got.

        One that it cannot draw tonight is left to a request, like any other.
        """
        memory = self._site.memory
        if self._renderer is None or memory is None:
            return {}
        allowed = self._site.robots.allowed
        known = [url for url in urls if memory.to_be_drawn(url) and allowed(url)]
        if not known:
            return {}
        answers = await self._site.sharing.answers(known, self._asking.drawing)
        done = {
            url: one
            for url, one in answers.items()
            if one.page is not None or _is_refused(one)
        }
        if any(one.no_browser for one in answers.values()):
            self._renderer = None
        self._attempted += len(known) - len(done)
        return done

    async def draw_lossy(self) -> list[str]:
        """Draw what showed signs of more than it held, by layout; returns where that newly leads to."""
        layouts: dict[str, list[str]] = defaultdict(list)
        for url, page in sorted(self._pages.items()):
            if page.action == "kept" or url in self._judged:
                continue
            if page.extraction.lossy:
                layouts[page.extraction.layout].append(url)
        drawn: list[str] = []
        for layout, urls in sorted(layouts.items()):
            drawn += await self._draw_layout(layout, urls)
        return self._leads(drawn)

    async def learn_structure(self) -> list[str]:
        """Look once for rules in the structure of pages without reviews; returns where these newly lead to."""
        found = await self._learning.look(self._pages)
        for url, extraction in found.items():
            self._pages[url] = replace(self._pages[url], extraction=extraction)
        return self._leads(list(found))

    def _paid(self, urls: list[str]) -> tuple[dict[str, str], list[str]]:
        """Those that tonight's allowance pays for, each with its action, and those that are kept."""
        paid: dict[str, str] = {}
        kept = []
        for url in urls:
            if action := self._site.allowance.take(url):
                paid[url] = action
            elif url in self._site.allowance.earlier.pages:
                kept.append(url)
            else:
                self._left += 1
        return paid, kept

    def _take(self, url: str, answer: Answer, action: str) -> None:
        if answer.outage and url == self._site.start_url:
            why = answer.rejections[0].detail
            raise TransientError(f"the shop cannot be reached: {url}: {why}")
        self._outages += answer.outage
        self._failed.discard(url)
        if answer.outage:
            self._failed.add(url)
        for one in answer.rejections:
            self._reject(one.row_id, one.reason, one.detail)
        if answer.page is not None:
            self._pages[url] = replace(answer.page, action=action)

    def result(self) -> Crawl:
        pages = tuple(page for _, page in sorted(self._pages.items()))
        spent = self._site.allowance.spent
        requests = {str(action): count for action, count in spent.items()}
        return Crawl(
            pages=pages,
            rejections=tuple(one for _, one in sorted(self._rejections.items())),
            unreached=tuple(sorted(self._unreached)),
            layouts=tuple(self._verdicts),
            attempted=self._attempted,
            outages=self._outages,
            left=self._left,
            learnt=self._learning.verdict,
            failed=tuple(sorted(self._failed)),
            requests=requests,
            quarantined=self._learning.quarantined,
        )

    async def _draw_layout(self, layout: str, urls: list[str]) -> list[str]:
        """Draw a few of the layout's pages; the rest only if those gained something."""
        urls = sorted(
            urls,
            key=lambda url: (
                "stated_count" not in self._pages[url].extraction.signs,
                url,
            ),
        )
        probes, rest = urls[:_PROBES], urls[_PROBES:]
        drawn, gained = await self._draw(probes)
        if gained:
            more, gained_more = await self._draw(rest)
            drawn, gained = drawn + more, gained + gained_more
        elif not drawn:
            # Nothing is known of a layout of which no page could be drawn.
            for url in rest:
                self._not_reached(
                    url,
                    FetchError(
                        url,
                        "browser" if self._renderer else "browser_needed",
                        "not tried, other pages of its layout could not be drawn",
                    ),
                )
        self._verdicts.append(LayoutVerdict(layout, len(urls), len(drawn), gained))
        self._judge(urls)
        return drawn

    def _judge(self, urls: Sequence[str]) -> None:
        """Nothing more can be done for pages that a browser has drawn, or could not."""
        self._judged.update(urls)
        for url in urls:
            page = self._pages.get(url)
            if page and page.extraction.lossy and url not in self._rejections:
                self._lost(url)

    async def _draw(self, urls: list[str]) -> tuple[list[str], int]:
        """Draw and keep these pages; those that could be drawn, and how many reviews they hold."""
        if self._renderer is None:
            for url in urls:
                self._not_reached(
                    url,
                    FetchError(
                        url, "browser_needed", "no Chromium: " + self._signs(url)
                    ),
                )
            return [], 0
        answers = await self._site.sharing.answers(urls, self._asking.drawing)
        drawn: list[str] = []
        for url in sorted(answers):
            answer = answers[url]
            if answer.no_browser:
                self._renderer = None
            self._draw_taken(url, answer)
            if answer.page is not None:
                drawn.append(url)
        return drawn, sum(len(self._pages[url].extraction.reviews) for url in drawn)

    def _draw_taken(self, url: str, answer: Answer) -> None:
        action = self._pages[url].action
        if answer.page is None and not _is_refused(answer):
            self._unreached_product(url)
        for one in answer.rejections:
            self._reject(one.row_id, one.reason, one.detail)
        if answer.page is not None:
            self._pages[url] = replace(answer.page, action=action)

    def _not_reached(self, url: str, error: FetchError) -> None:
        self._unreached_product(url)
        self._reject(url, error.reason, error.detail)

    def _unreached_product(self, url: str) -> None:
        product = self._pages[url].extraction.product
        self._unreached.add(product.product_id if product else url)

    def _lost(self, url: str) -> None:
        """A page that says it has reviews, none of which could be read with or without a browser."""
        extraction = self._pages[url].extraction
        product = extraction.product
        if product and product.stated_reviews:
            self._unreached.add(product.product_id)
            self._reject(url, "parse_error", f"no review found: {self._signs(url)}")

    def _signs(self, url: str) -> str:
        extraction = self._pages[url].extraction
        stated = extraction.product.stated_reviews if extraction.product else None
        return f"{', '.join(extraction.signs)}" + (
            f", {stated} reviews stated" if stated else ""
        )

    def _leads(self, urls: Sequence[str]) -> list[str]:
        """Addresses that these pages lead to and that were not known, in the order of the pages."""
        new: list[str] = []
        for url in sorted(urls):
            found = self._pages[url].extraction
            for other in found.links.others:
                if not self._site.robots.allowed(other) and self.new([other]):
                    self._reject(other, "robots_disallowed", f"linked from {url}")
            following = self._following(url, found)
            for target in self.new(
                (*found.links.listings, *found.links.products, *following)
            ):
                if self._site.robots.allowed(target):
                    new.append(target)
                else:
                    self._reject(target, "robots_disallowed", f"linked from {url}")
        return new

    def _following(self, url: str, found: Extraction) -> list[str]:
        """The next page, where there is one that is worth a request."""
        if not found.links.next or not self._goes_on(url):
            return []
        if self._site.memory:
            self._site.memory.follows(found.links.next, url)
        return [] if self._rest_is_known(url) else [found.links.next]

    def _rest_is_known(self, url: str) -> bool:
        """Whether all that follows this page of reviews is known; then it is taken from memory."""
        memory, page = self._site.memory, self._pages[url]
        if memory is None:
            return False
        brought = {review_id for review_id, _ in self._chains[url].seen}
        rest = memory.rest_of(page, brought)
        if rest is None:
            return False
        self._pages[url] = rest.joined_to(page)
        for later in rest.pages:
            self.new([later.url])
            # As if it had been asked for: rows do not depend on what spared the request.
            action = self._site.allowance.action(later.url)
            self._pages[later.url] = replace(later, action=action)
        return True

    def _goes_on(self, url: str) -> bool:
        """Whether the next page is worth a look: this one brought something new, or will once it is drawn."""
        found = self._pages[url].extraction
        chain = self._chains[url]
        brought = {
            (review.review_id, review.body) for review in found.reviews
        } - chain.seen
        chain.seen |= brought
        chain.length += 1
        self._chains[found.links.next] = chain
        leads = any(
            page_key(one) not in self._known
            for one in (*found.links.listings, *found.links.products)
        )
        return chain.length <= _MAX_CHAIN and bool(brought or leads or found.lossy)

    def _reject(self, row_id: str, reason: str, detail: str) -> None:
        self._rejections[row_id] = Rejection(row_id, reason, detail[:500])


def _is_refused(answer: Answer) -> bool:
    """Whether the page is there, and not for us."""
    return any(one.reason == "ai_opt_out" for one in answer.rejections)
