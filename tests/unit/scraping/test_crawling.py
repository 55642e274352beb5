"""The crawl over a shop in memory: every address once, the same result in any order, nothing lost unsaid."""

import random
from datetime import UTC, datetime

import httpx
import pytest

from kindling.errors import DataError, TransientError
from kindling.scraping.fetch import Fetched, FetchError
from kindling.scraping.sitemap import locations

SHOP = "http://shop.example"


class Drawing:
    """Stands for a browser: draws the pages it is given, fails on the rest."""

    def __init__(self, pages: dict[str, str], kind: str = "browser") -> None:
        self.pages, self.kind, self.asked = pages, kind, []

    async def render(self, urls):
        self.asked += urls
        return {
            url: Fetched(url, 200, {}, self.pages[url].encode(), datetime.now(UTC))
            if url in self.pages
            else FetchError(url, self.kind, "cannot")
            for url in urls
        }


def stock(shop, product_page, count=6, pages=3):
    """A start page, one listing a category, products with several pages."""
    shop.page(
        "/",
        '<a class="category" href="/c/one">one</a><a href="/account/trap" hidden>x</a>',
    )
    links = "".join(
        f'<a class="product-link" href="/p/{number}">p</a>' for number in range(count)
    )
    shop.page(
        "/c/one",
        links[: len(links) // 2] + '<a rel="next" href="/c/one?page=2">next</a>',
    )
    shop.page("/c/one?page=2", links)
    for number in range(count):
        for page in range(1, pages + 1):
            path = f"/p/{number}" + (f"?page={page}" if page > 1 else "")
            following = f"/p/{number}?page={page + 1}" if page < pages else ""
            shop.page(
                path,
                product_page(
                    str(number),
                    [f"{number}-{page}-{row}" for row in range(2)],
                    following,
                ),
            )
    shop.answers["/robots.txt"] = (200, {}, "User-agent: *\nDisallow: /account/")
    return count * pages + 3


def test_reaches_every_page_once(shop, product_page):
    pages = stock(shop, product_page)
    found = shop.crawl()
    assert len(found.pages) == found.attempted == pages
    # Besides the pages: robots.txt, the sitemap's usual place, and the word on text and data mining.
    assert len(shop.asked) == len(set(shop.asked)) == pages + 3
    assert sum(len(page.extraction.reviews) for page in found.pages) == 36


def test_result_does_not_depend_on_order_of_answers(shop, product_page):
    stock(shop, product_page)
    results = []
    for seed, concurrency in ((1, 1), (2, 3), (3, 16)):
        rng = random.Random(seed)
        shop.latency = lambda _, rng=rng: rng.random() / 500
        found = shop.crawl(concurrency=concurrency, max_pages=11)
        results.append(
            (
                [(page.url, page.sha256) for page in found.pages],
                found.rejections,
                found.left,
            )
        )
    assert results[0] == results[1] == results[2]


def test_max_pages_ends_it_and_says_what_is_left(shop, product_page):
    stock(shop, product_page)
    found = shop.crawl(max_pages=4)
    assert (found.attempted, len(found.pages)) == (4, 4)
    assert found.left > 0


def test_disallowed_links_are_counted_and_never_asked(shop, product_page):
    stock(shop, product_page)
    found = shop.crawl()
    assert [(one.row_id, one.reason) for one in found.rejections] == [
        (f"{SHOP}/account/trap", "robots_disallowed")
    ]
    assert "/account/trap" not in shop.asked


def test_other_hosts_are_never_asked(shop):
    shop.page(
        "/",
        '<a class="product-link" href="http://evil.example/p/1">x</a>'
        '<a class="category" href="//evil.example/c">y</a>',
    )
    assert len(shop.crawl().pages) == 1


def test_an_endless_list_ends(shop, product_page):
    shop.page("/", '<a class="product-link" href="/p/1">x</a>')
    shop.page("/p/1", product_page("1", ["a"], "/p/1?page=2"))
    for page in range(2, 60):
        shop.page(
            f"/p/1?page={page}", product_page("1", ["a"], f"/p/1?page={page + 1}")
        )
    assert len(shop.crawl().pages) == 3


def test_next_links_in_a_circle_end(shop, product_page):
    shop.page("/", '<a class="product-link" href="/p/1">x</a>')
    shop.page("/p/1", product_page("1", ["a"], "/p/1?page=2"))
    shop.page("/p/1?page=2", product_page("1", ["b"], "/p/1"))
    assert len(shop.crawl().pages) == 3


def test_failures_are_rejections_with_their_status(shop):
    shop.page(
        "/",
        "".join(
            f'<a class="product-link" href="/p/{name}">x</a>'
            for name in ("gone", "down", "empty", "pdf")
        ),
    )
    shop.page("/p/gone", "x", status=410)
    shop.page("/p/down", "x", status=500)
    shop.page("/p/empty", "")
    shop.page("/p/pdf", "x", {"content-type": "application/pdf"})
    found = shop.crawl()
    assert {one.row_id.rsplit("/")[-1]: one.reason for one in found.rejections} == {
        "gone": "http_error:410",
        "down": "http_error:500",
        "empty": "empty_page",
        "pdf": "not_html",
    }
    assert (found.outages, found.attempted) == (1, 5)


@pytest.mark.parametrize("answer", [httpx.ConnectError("refused"), (503, {}, "down")])
def test_a_shop_that_is_down_is_transient(shop, answer):
    shop.answers["/"] = shop.answers["/robots.txt"] = answer
    with pytest.raises(TransientError, match=r"shop\.example"):
        shop.crawl()
    shop.answers["/robots.txt"] = (404, {}, "")
    with pytest.raises(TransientError, match="cannot be reached"):
        shop.crawl()


def test_a_shop_that_disallows_all_is_final(shop):
    shop.answers["/robots.txt"] = (200, {}, "User-agent: *\nDisallow: /")
    with pytest.raises(DataError, match="disallows"):
        shop.crawl()


@pytest.mark.parametrize(
    ("headers", "extra"),
    [({"X-Robots-Tag": "noai"}, ""), ({}, '<meta name="robots" content="noai">')],
)
def test_opted_out_pages_are_neither_kept_nor_followed(
    shop, product_page, headers, extra
):
    shop.page("/", '<a class="product-link" href="/p/1">x</a>')
    shop.page("/p/1", product_page("1", ["a"], "/p/1?page=2", extra=extra), headers)
    kept = []
    found = shop.crawl(keep=kept)
    assert [one.reason for one in found.rejections] == ["ai_opt_out"]
    assert (len(kept), len(found.pages)) == (1, 1)


def shells(shop, product_page, count=8, plain=4):
    shop.page(
        "/",
        "".join(
            f'<a class="product-link" href="/p/{number}">x</a>'
            for number in range(count + plain)
        ),
    )
    for number in range(count):
        shop.page(f"/p/{number}", product_page(f"s{number}", shell=2))
    for number in range(count, count + plain):
        shop.page(f"/p/{number}", product_page(f"p{number}", [f"p{number}-a"]))
    return [f"{SHOP}/p/{number}" for number in range(count)]


def test_only_lossy_pages_are_drawn(shop, product_page):
    lossy = shells(shop, product_page)
    drawing = Drawing(
        {
            url: product_page(f"s{number}", [f"s{number}-a", f"s{number}-b"])
            for number, url in enumerate(lossy)
        }
    )
    found = shop.crawl(drawing)
    assert sorted(drawing.asked) == lossy
    assert sum(len(page.extraction.reviews) for page in found.pages) == 20
    assert {page.fetcher for page in found.pages if page.url in lossy} == {"browser"}
    assert [(one.lossy, one.drawn, one.gained) for one in found.layouts] == [(8, 8, 16)]
    assert found.unreached == () and found.rejections == ()


def test_a_layout_that_gains_nothing_is_not_drawn_further_and_not_silent(
    shop, product_page
):
    lossy = shells(shop, product_page)
    drawing = Drawing(
        {url: product_page(f"s{number}", shell=2) for number, url in enumerate(lossy)}
    )
    found = shop.crawl(drawing)
    assert len(drawing.asked) == 3
    assert {one.reason for one in found.rejections} == {"parse_error"}
    assert len(found.unreached) == len(found.rejections) == 8


@pytest.mark.parametrize("renderer", [None, Drawing({}, "browser_needed")])
def test_without_a_browser_products_are_reported_as_not_reached(
    shop, product_page, renderer
):
    lossy = shells(shop, product_page)
    found = shop.crawl(renderer)
    assert found.unreached == tuple(f"s{number}" for number in range(8))
    assert {one.row_id: one.reason for one in found.rejections} == dict.fromkeys(
        lossy, "browser_needed"
    )


def test_pages_that_cannot_be_drawn_are_rejected(shop, product_page):
    lossy = shells(shop, product_page)
    drawing = Drawing({url: product_page("s", [url]) for url in lossy[:5]})
    found = shop.crawl(drawing)
    assert sorted(drawing.asked) == lossy
    assert {one.row_id: one.reason for one in found.rejections} == dict.fromkeys(
        lossy[5:], "browser_failed"
    )
    assert len(found.unreached) == 3


def test_pages_that_state_reviews_are_drawn_first(shop, product_page):
    lossy = shells(shop, product_page)
    for number in range(6):
        shop.page(
            f"/p/{number}",
            product_page(f"s{number}", shell=2).replace(
                "4.0 out of 5 · 2 reviews", "No reviews yet"
            ),
        )
    drawing = Drawing(
        {
            url: product_page(f"s{number}", [url] if number > 5 else [])
            for number, url in enumerate(lossy)
        }
    )
    found = shop.crawl(drawing)
    assert len(drawing.asked) == 8
    assert sum(len(page.extraction.reviews) for page in found.pages) == 6


def test_links_that_only_drawing_shows_are_followed(shop, product_page):
    shop.page("/", '<a class="product-link" href="/p/0">x</a>')
    shop.page("/p/0", product_page("s", shell=2))
    shop.page("/p/0?page=2", product_page("s", ["b"]))
    found = shop.crawl(
        Drawing({f"{SHOP}/p/0": product_page("s", ["a"], "/p/0?page=2")})
    )
    assert len(found.pages) == 3


def test_sitemap_pages_are_reached_without_a_link(shop, product_page):
    rules = f"User-agent: *\nDisallow: /private\nSitemap: {SHOP}/index.xml\nSitemap: http://evil.example/s.xml\n"
    shop.answers["/robots.txt"] = (200, {}, rules)
    shop.answers["/index.xml"] = (
        200,
        {},
        f"<sitemapindex><sitemap><loc>{SHOP}/s.xml</loc></sitemap></sitemapindex>",
    )
    places = "".join(
        f"<url><loc>{one}</loc></url>"
        for one in (f"{SHOP}/p/9", f"{SHOP}/private", "http://evil.example/p")
    )
    shop.answers["/s.xml"] = (200, {}, f"<urlset>{places}</urlset>")
    shop.page("/", "nothing")
    shop.page("/p/9", product_page("9", ["a"]))
    assert [page.url for page in shop.crawl().pages] == [f"{SHOP}/", f"{SHOP}/p/9"]


BOMB = (
    '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa">'
    + "".join(f'<!ENTITY {chr(98 + n)} "{f"&{chr(97 + n)};" * 10}">' for n in range(9))
    + "]><urlset><url><loc>&j;</loc></url></urlset>"
)


@pytest.mark.parametrize(
    "content",
    [
        "",
        "<urlset",
        "not xml",
        BOMB,
        '<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><urlset><url><loc>&a;</loc></url></urlset>',
    ],
)
def test_hostile_sitemaps_hold_nothing(content):
    assert locations(content.encode(), f"{SHOP}/s.xml") == ([], [])


def test_parse_problems_are_rejections(shop, product_page):
    shop.page("/", '<a class="product-link" href="/p/1">x</a>')
    shop.page(
        "/p/1",
        product_page("1", ["a"], extra='<script type="application/ld+json">{</script>'),
    )
    assert [one.reason for one in shop.crawl().rejections] == ["parse_error"]
