"""A page that asks whether a person reads it is told by name, and nothing of it becomes a row."""

import gzip

import pytest

from kindling.scraping import walls
from kindling.scraping.extract import extract
from kindling.scraping.mapping import Mapping
from kindling.scraping.mapping import load as load_mapping

SHOP = "http://shop.example"
#: Name -> a page as its maker serves it, cut down to what it is known by.
WALLED = {
    "Cloudflare": "<title>Just a moment...</title><body><noscript>Enable JavaScript and cookies to continue</noscript>"
    "<script src='/cdn-cgi/challenge-platform/h/b/orchestrate/chl_page/v1?ray=1'></script>",
    "DataDome": "<title>shop.example</title><body><p id=cmsg>Please enable JS and disable any ad blocker</p>"
    "<script src='https://ct.captcha-delivery.com/c.js'></script>",
    "HUMAN (PerimeterX)": "<title>Access to this page has been denied</title><body><div id=px-captcha></div>",
    "Imperva": "<body><iframe id=main-iframe src='/_Incapsula_Resource?SWUDNSAI=31'>Request unsuccessful.</iframe>",
    "Akamai": "<title>Access Denied</title><body><h1>Access Denied</h1><p>Reference #18.1"
    "<a href='https://errors.edgesuite.net/18.1'>x</a>",
    "AWS WAF": "<body><div id=challenge-container></div><script src='https://a.token.awswaf.com/a/challenge.js'></script>",
    "Amazon": "<title>Robot Check</title><body><form action='/errors/validateCaptcha'><input name=amzn>"
    "<p>Enter the characters you see below",
    "Vercel": "<title>Vercel Security Checkpoint</title><body><p>We're verifying your browser",
    "reCAPTCHA": "<title>shop</title><body><h1>Confirmez que vous n'êtes pas un robot</h1><div class=g-recaptcha></div>",
    "hCaptcha": "<body><p>Bitte bestätigen Sie, dass Sie kein Roboter sind</p><div class=h-captcha></div>",
}
OWN = {
    "a captcha in a form for letters": "<h1>Kettle</h1><form><p>Write to us</p><div class=g-recaptcha></div></form>",
    "a shop that loads a guard's script": "<h1>Kettle</h1><p>Holds 2 l</p>"
    "<script src='/cdn-cgi/challenge-platform/scripts/jsd/main.js'></script><script src='https://js.datadome.co/tags.js'></script>",
    "a review that speaks of robots": "<h1>Robot vacuum</h1><p>Are you a robot? No, but this is one.</p>",
    "a long page": f"<title>Just a moment</title><p>{'A clock that ticks. ' * 200}</p><div class=g-recaptcha></div>",
}  # fmt: skip
ROWS = (
    "<ul>"
    + "".join(
        f"<li data-hook=review id=r{n}><i data-hook=review-star-rating>{n} out of 5</i>"
        f"<span data-hook=review-body>Text {n}</span></li>"
        for n in range(1, 4)
    )
    + "</ul>"
)


@pytest.mark.parametrize("name", WALLED)
def test_who_asks_is_told_by_name(name):
    found = extract(
        WALLED[name].encode(), f"{SHOP}/p/1", Mapping(name="none", version=1)
    )
    assert found.wall == name
    assert not found.signs, "no browser is sent to a page that keeps readers out"


@pytest.mark.parametrize("page", OWN.values(), ids=OWN)
def test_a_shops_own_page_is_none(page):
    assert not extract(
        page.encode(), f"{SHOP}/p/1", Mapping(name="none", version=1)
    ).wall


@pytest.mark.parametrize("name", WALLED)
def test_what_looks_like_reviews_on_it_is_no_row(name):
    found = extract(
        (WALLED[name] + ROWS).encode(),
        f"{SHOP}/p/1",
        load_mapping("public_shops.yaml"),
    )
    assert found.wall == name and not found.reviews


def test_the_crawl_says_so_and_keeps_nothing_of_it(shop, product_page):
    shop.page(
        "/", "".join(f'<a class="product-link" href="/p/{n}">p</a>' for n in (1, 2))
    )
    shop.page("/p/1", product_page("1", ["a"]))
    shop.page("/p/2", WALLED["DataDome"])
    found = shop.crawl()
    assert [(one.row_id, one.reason, one.detail) for one in found.rejections] == [
        (
            f"{SHOP}/p/2",
            "challenge_page",
            "DataDome asks whether a person reads this page",
        )
    ]
    assert f"{SHOP}/p/2" not in {page.url for page in found.pages}


def test_a_refusal_names_who_refused(shop):
    shop.page("/", '<a class="product-link" href="/p/1">p</a>')
    shop.answers["/p/1"] = (403, {"cf-mitigated": "challenge"}, "no")
    (refused,) = shop.crawl().rejections
    assert refused.detail.startswith("HTTP 403, by Cloudflare")


def test_no_saved_page_of_a_real_shop_is_taken_for_one(data_root):
    pages = sorted((data_root / "shop_pages" / "html").glob("*.html.gz"))
    assert pages
    told = {}
    for path in pages:
        body = gzip.decompress(path.read_bytes())
        told[path.name[:12]] = extract(
            body, f"{SHOP}/p", Mapping(name="none", version=1)
        ).wall
    assert not {name: wall for name, wall in told.items() if wall}


def test_headers_of_a_usual_answer_name_nobody():
    assert walls.in_headers({"server": "cloudflare", "cf-ray": "1"}) == ""
