"""`make look SHOP=…` over real sockets: what the first pages hold, and a recipe for all of them."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from kindling import recipe as recipes
from kindling.__main__ import main


def product(number: int, count: int = 30) -> str:
    reviews = [
        {
            "@type": "Review",
            "@id": f"#r{number}-{n}",
            "reviewBody": f"Review {n} of thing {number}: it does what it is for.",
            "reviewRating": {"@type": "Rating", "ratingValue": n % 5 + 1},
            "datePublished": "2024-05-06",
        }
        for n in range(count)
    ]
    thing = {
        "@context": "https://schema.org",
        "@type": "Product",
        "sku": f"p{number}",
        "name": f"Thing {number}",
        "category": "Things",
        "review": reviews,
    }
    data = json.dumps(thing)
    return f'<html lang="en"><h1>Thing {number}</h1><script type="application/ld+json">{data}</script>'


@pytest.fixture
def shop() -> Iterator[tuple[str, dict[str, str]]]:
    answers: dict[str, str] = {}

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            body = answers.get(self.path, "").encode()
            self.send_response(200 if body else 404)
            kind = "text/plain" if self.path.endswith(".txt") else "text/html"
            self.send_header("Content-Type", f"{kind}; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Silent."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.handle_error = lambda *_: None  # type: ignore[method-assign]
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", answers
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_shop_is_shown_and_its_recipe_can_be_loaded(shop, tmp_path, capsys):
    url, answers = shop
    urls = [f"{url}/p/{number}" for number in range(5)]
    answers["/robots.txt"] = (
        f"User-agent: *\nDisallow: /private\nSitemap: {url}/sitemap.xml\n"
    )
    answers["/sitemap.xml"] = (
        "<urlset>"
        + "".join(f"<url><loc>{one}</loc></url>" for one in urls)
        + "</urlset>"
    )
    answers["/"] = "<html><a href='/private'>x</a></html>"
    answers |= {f"/p/{number}": product(number) for number in range(5)}
    assert main(["look", "--shop", url, "--out", str(tmp_path)]) == 0
    out = capsys.readouterr().out
    assert "150 found, 150 usable" in out
    assert "Things 150" in out and "e.g. Thing 0" in out
    assert "robots      " in out and "5 product pages among them" in out
    made = recipes.load(out.splitlines()[-1].removeprefix("recipe      "))
    assert made.sources[0].kind == "shop" and made.sources[0].options["url"] == url


def stocked(url: str, answers: dict[str, str], pages: int, count: int) -> None:
    """A shop with so many products, each with so many reviews."""
    answers["/"] = "".join(f"<a href='/p/{n}'>thing</a>" for n in range(pages))
    answers |= {f"/p/{n}": product(n, count) for n in range(pages)}


def test_a_small_shop_is_told_what_it_would_take_before_anything_runs(
    shop, tmp_path, capsys
):
    url, answers = shop
    stocked(url, answers, pages=3, count=6)
    assert main(["look", "--shop", url, "--out", str(tmp_path)]) == 3
    error = capsys.readouterr().err
    assert "9 reviews are negative (1 or 2 stars): label 11 more" in error
    assert "18 usable reviews are too few: 102 more are needed" in error
    assert not list(tmp_path.iterdir())


def test_more_pages_are_looked_at_where_the_first_hold_too_little(
    shop, tmp_path, capsys
):
    url, answers = shop
    # 30 pages hold 29 products with 4 reviews each, 116; 120 are the least.
    stocked(url, answers, pages=60, count=4)
    assert main(["look", "--shop", url, "--out", str(tmp_path)]) == 0
    out = capsys.readouterr().out
    assert "61 looked at" in out and "240 found, 240 usable" in out
    made = recipes.load(out.splitlines()[-1].removeprefix("recipe      "))
    assert made.scrape.min_per_class == 0, "all of it was looked at"


def test_a_large_shop_is_sampled_and_its_run_asks_for_enough(shop, tmp_path, capsys):
    url, answers = shop
    stocked(url, answers, pages=60, count=30)
    assert main(["look", "--shop", url, "--out", str(tmp_path)]) == 0
    out = capsys.readouterr().out
    assert "30 looked at" in out and "only a part of the shop was looked at" in out
    made = recipes.load(out.splitlines()[-1].removeprefix("recipe      "))
    assert (made.scrape.min_reviews, made.scrape.min_per_class) == (120, 20)


def test_a_shop_that_keeps_readers_out_is_named(shop, tmp_path, capsys):
    url, answers = shop
    answers["/"] = "<title>Just a moment...</title><body><p>One moment, please</p>"
    assert main(["look", "--shop", url, "--out", str(tmp_path)]) == 3
    error = capsys.readouterr().err
    assert "1 pages keep readers like this one out (Cloudflare asks" in error
    assert "give it as DATA=" in error


def test_a_shop_without_reviews_is_refused_in_words(shop, tmp_path, capsys):
    url, answers = shop
    answers["/"] = "<html><p>Nothing here</p></html>"
    assert main(["look", "--shop", url, "--out", str(tmp_path)]) == 3
    error = capsys.readouterr().err
    assert "0 reviews on 1 pages" in error and "Traceback" not in error
    assert not list(tmp_path.iterdir())


def test_what_is_no_address_is_refused_in_words(tmp_path, capsys):
    assert main(["look", "--shop", "shop.example", "--out", str(tmp_path)]) == 2
    assert "'shop.example' is not an address" in capsys.readouterr().err
