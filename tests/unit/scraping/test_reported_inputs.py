"""Small inputs of our own after public bug reports of other scrapers: each kind is read as people would."""

import gzip
import json
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from kindling.scraping import opt_out, sitemap
from kindling.scraping.clean import mask_personal_data, normalise
from kindling.scraping.dates import iso_date
from kindling.scraping.extract import extract
from kindling.scraping.mapping import Mapping
from kindling.scraping.rating import parse_rating, stars
from kindling.scraping.robots import from_response
from kindling.scraping.rows import join
from kindling.scraping.site import CrawledPage
from kindling.scraping.urls import absolute, same_site

FOLDER = Path(__file__).resolve().parents[2] / "data" / "cases" / "acquisition"
CASES = json.loads((FOLDER / "cases.json").read_text(encoding="utf-8"))
SHOP = "https://shop.example"
NO_RULES = Mapping(name="none", version=1)


def of_kind(kind: str, *ids: str, but: tuple[str, ...] = ()) -> list:
    return [
        pytest.param(case, id=f"{case['id']}: {case['shape']}")
        for case in CASES
        if case["kind"] == kind
        and case["id"] not in but
        and (not ids or case["id"] in ids)
    ]


def page(case: dict):
    body = (FOLDER / case["file"]).read_bytes()
    return extract(body, f"{SHOP}/p/os1", NO_RULES, "text/html")


def said(extraction) -> list[list]:
    return [
        [
            one.body if "\n" in one.body else " ".join(one.body.split()),
            one.rating,
            one.best,
        ]
        for one in extraction.reviews
    ]


PLAIN = [
    case
    for case in CASES
    if case["kind"] == "page"
    and isinstance(case["expected"], list)
    and case["expected"]
    and all(isinstance(one, list) and len(one) == 3 for one in case["expected"])
]


@pytest.mark.parametrize(
    "case", [pytest.param(one, id=f"{one['id']}: {one['shape']}") for one in PLAIN]
)
def test_reviews_of_a_page(case):
    assert len(PLAIN) > 20
    assert said(page(case)) == case["expected"]


def case_of(name: str) -> dict:
    return next(case for case in CASES if case["id"] == name)


def test_what_a_page_states_of_its_reviews():
    for name in ("p05", "p10"):
        found, expected = page(case_of(name)), case_of(name)["expected"]
        if isinstance(expected, dict):
            expected = [expected["mean"], expected["n"], expected["r"]]
        product = found.product
        assert [product.stated_rating, product.stated_reviews, said(found)] == expected
    empty = page(case_of("p06"))
    assert [empty.product.stated_rating, said(empty)] == case_of("p06")["expected"]
    counted = page(case_of("p07"))
    assert [counted.product.stated_rating, bool(counted.signs)] == [4.0, True]


def test_a_books_number_is_its_id():
    found = page(case_of("p33b"))
    assert [found.product.product_id, said(found)] == case_of("p33b")["expected"]


def test_a_lazy_picture_is_where_it_will_be_loaded_from():
    assert list(page(case_of("p16")).photos) == case_of("p16")["expected"]


@pytest.mark.parametrize("case", of_kind("page", "p41", "p42", "p43"))
def test_stars_of_a_page(case):
    found = page(case).reviews
    assert [stars(one.rating, one.best, one.worst) for one in found] == case["expected"]


def crawled(body: bytes, url: str) -> CrawledPage:
    fetched = datetime(2026, 1, 1, tzinfo=UTC)
    found = extract(body, url, NO_RULES, "text/html")
    return CrawledPage(url, 200, "0" * 64, "memory://", "http", fetched, found)


@pytest.mark.parametrize("changed", [(b"OS1", b"OS2"), (b"os1", b"os2")])
def test_ids_that_are_fragments_do_not_tie_products_together(changed):
    body = (FOLDER / "pages" / "p50.html").read_bytes()
    rows = join(
        [
            crawled(body, f"{SHOP}/p/os1"),
            crawled(body.replace(*changed), f"{SHOP}/p/os2"),
        ],
        {},
    )
    assert [len(rows.reviews), list(rows.rejections)] == case_of("p50")["expected"]


@pytest.mark.parametrize("case", of_kind("page", "e01", "e02", "e03", "e05", "e09"))
def test_encodings(case):
    assert case["expected"] in [one.body for one in page(case).reviews]


OPTIONS = "".join(f"<option value={one}>Item {one}</option>" for one in range(20_000))


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(f"<select>{OPTIONS}</select>".encode(), id="20,000 options"),
        pytest.param((FOLDER / "pages" / "h02.html").read_bytes(), id="unclosed tags"),
    ],
)
def test_pages_that_are_slow_to_parse(body):
    started = time.process_time()
    extract(body, f"{SHOP}/p/os1", NO_RULES, "text/html")
    assert time.process_time() - started < 5


@pytest.mark.parametrize("case", of_kind("rating"))
def test_ratings(case):
    found = parse_rating(case["value"])
    assert found is not None
    assert [found.value, found.best] == case["expected"]


@pytest.mark.parametrize("case", of_kind("robots", "b05", "b06", "b08"))
def test_robots_txt(case):
    text, path, status = case["value"]
    robots = from_response(status, text.encode())
    assert robots.allowed(absolute(SHOP, path)) is case["expected"]


def test_an_absurd_crawl_delay_is_capped():
    robots = from_response(200, f"User-agent: *\n{case_of('b15')['value']}".encode())
    assert robots.delay(0.5) == 300


@pytest.mark.parametrize(
    "case", of_kind("robots", "o01", "o02", "o03", "o04", "o05", "o08")
)
def test_ai_opt_outs(case):
    assert bool(opt_out.in_headers(case["value"])) is case["expected"]


@pytest.mark.parametrize("case", of_kind("url", "u01", "u03", "u08", "u09"))
def test_addresses(case):
    assert absolute(*case["value"]) == case["expected"]


def test_www_and_apex_are_one_shop():
    case = case_of("u10")
    assert same_site(*case["value"]) is case["expected"]


URLSET = f"<urlset><url><loc>{SHOP}/p/1</loc></url></urlset>".encode()


@pytest.mark.parametrize(
    ("name", "content", "url"),
    [
        ("s01", gzip.compress(URLSET), f"{SHOP}/sitemap.xml.gz"),
        ("s03", URLSET, "https://cdn.example/sitemap.xml"),
        ("s04", b"\n" + b'<?xml version="1.0"?>' + URLSET, f"{SHOP}/sitemap.xml"),
    ],
)
def test_sitemaps(name, content, url):
    assert list(sitemap.locations(content, url)) == case_of(name)["expected"]


@pytest.mark.parametrize("case", of_kind("text"))
def test_texts(case):
    assert mask_personal_data(normalise(case["value"])).text == case["expected"]


@pytest.mark.parametrize("case", of_kind("date"))
def test_dates(case):
    text, _, language = case["value"].partition(" (")
    assert iso_date(text, language.rstrip(")")) == case["expected"]
