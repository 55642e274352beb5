"""The running shop: a polite visitor reaches every review once, and nothing that robots.txt forbids."""

import json
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import urljoin

import httpx
import pytest
from protego import Protego
from selectolax.lexbor import LexborHTMLParser

from .conftest import SHOP, run_shop, start_shop

REVIEW_ID = re.compile(r'(?:data-review-id=| id=)"(r\d+)"')


def _rows(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def _all_pages(client: httpx.Client, url: str) -> list[LexborHTMLParser]:
    """The pages from `url` on, along rel=next."""
    pages = []
    while url:
        answer = client.get(url)
        assert answer.status_code == 200, url
        page = LexborHTMLParser(answer.text)
        pages.append(page)
        following = page.css_first('a[rel="next"]')
        url = (
            urljoin(str(answer.url), following.attributes["href"]) if following else ""
        )
    return pages


def _links(pages: list[LexborHTMLParser], selector: str) -> list[str]:
    return [link.attributes["href"] for page in pages for link in page.css(selector)]


def _review_ids(client: httpx.Client, page: LexborHTMLParser) -> list[str]:
    root = page.css_first("#reviews-root")
    if root is not None:
        return [
            row["review_id"]
            for row in client.get(root.attributes["data-source"]).json()["reviews"]
        ]
    return REVIEW_ID.findall(page.html)


def test_every_review_is_reached_exactly_once(shop_url: str, catalogue: Path) -> None:
    reached: dict[str, str] = {}
    with httpx.Client(base_url=shop_url) as client:
        products = []
        for category in _links(_all_pages(client, shop_url + "/"), "a.category"):
            products += _links(
                _all_pages(client, shop_url + category), "a.product-link"
            )
        assert len(products) == len(set(products))
        for product in products:
            for page in _all_pages(client, shop_url + product):
                for review_id in _review_ids(client, page):
                    assert review_id not in reached
                    reached[review_id] = product.removeprefix("/p/")
        hits = client.get("/stats.json").json()
    assert reached == {
        row["review_id"]: row["product_id"]
        for row in _rows(catalogue / "reviews.jsonl")
    }
    assert (hits["home"], hits["trap"], hits["other"]) == (1, 0, 0)
    assert hits["product"] > len(products)


def test_the_sitemap_lists_every_product_with_its_photos(
    shop_url: str, catalogue: Path
) -> None:
    with httpx.Client() as client:
        listed = re.findall(
            r"<loc>(.*?)</loc>", client.get(shop_url + "/sitemap.xml").text
        )
        assert listed == [
            f"{shop_url}/p/{row['product_id']}"
            for row in _rows(catalogue / "products.jsonl")
        ]
        photo = (
            LexborHTMLParser(client.get(listed[0]).text)
            .css_first("img.product-photo")
            .attributes["src"]
        )
        answer = client.get(shop_url + photo)
    assert answer.headers["content-type"] == "image/jpeg"
    assert answer.content == (catalogue / photo.removeprefix("/")).read_bytes()


def test_robots_forbid_what_is_not_for_crawlers(shop_url: str) -> None:
    with httpx.Client(base_url=shop_url) as client:
        rules = Protego.parse(client.get("/robots.txt").text)
        trap = (
            LexborHTMLParser(client.get("/").text)
            .css_first('a[href^="/account/"]')
            .attributes["href"]
        )
        assert client.get(trap).status_code == 200
        assert client.get("/stats.json").json()["trap"] == 1
    for path in (
        "/",
        "/c/mugs",
        "/p/mug-01?page=2",
        "/photos/mug-01-1.jpg",
        "/sitemap.xml",
    ):
        assert rules.can_fetch(shop_url + path, "kindling")
    for path in ("/api/products/mug-01/reviews", trap, "/search?q=mug", "/stats.json"):
        assert not rules.can_fetch(shop_url + path, "kindling")
    assert rules.crawl_delay("kindling") == 0
    assert list(rules.sitemaps) == [shop_url + "/sitemap.xml"]


def test_what_is_not_there_is_404(shop_url: str) -> None:
    product = (
        "none",
        "mug-01?page=0",
        "mug-01?page=99",
        "mug-01?page=x",
        "mug-01?page=²",
    )
    others = (
        "/c/none",
        "/c/mugs?page=2",
        "/photos/none.jpg",
        "/photos/..%2Fcatalogue.json",
        "/api/products/none/reviews",
        "/none",
    )
    for path in (*(f"/p/{one}" for one in product), *others):
        assert httpx.get(shop_url + path).status_code == 404, path


def test_health_tells_what_is_served(shop_url: str) -> None:
    assert httpx.get(shop_url + "/healthz").json() == {
        "status": "ok",
        "kind": "bundled-smoke",
        "products": 41,
        "reviews": 450,
    }


def test_sigterm_ends_it_promptly_with_a_connection_open(catalogue: Path) -> None:
    process, url = start_shop(catalogue)
    with httpx.Client() as client:
        client.get(url)
        process.send_signal(signal.SIGTERM)
        before = time.monotonic()
        process.wait(timeout=10)
    process.stdout.close()
    assert time.monotonic() - before < 3


def test_a_taken_port_is_named(catalogue: Path, shop_url: str) -> None:
    port = shop_url.rsplit(":", 1)[1]
    done = run_shop("serve", "--catalogue", str(catalogue), "--port", port)
    assert done.returncode == 2
    assert (
        done.stderr
        == f"shop: port {port} on 127.0.0.1 is taken; stop what listens there or give another --port\n"
    )


@pytest.mark.parametrize("port", ["-1", "65536"])
def test_no_such_port(catalogue: Path, port: str) -> None:
    done = run_shop("serve", "--catalogue", str(catalogue), "--port", port)
    assert (done.returncode, done.stderr) == (
        2,
        f"shop: --port is {port}, expected 0 to 65535\n",
    )


def test_a_damaged_catalogue_is_not_served(catalogue: Path, tmp_path: Path) -> None:
    damaged = shutil.copytree(catalogue, tmp_path / "damaged")
    (damaged / "photos" / "mug-01-1.jpg").unlink()
    done = run_shop("serve", "--catalogue", str(damaged), "--port", "0")
    assert done.returncode == 2
    assert done.stderr.startswith(
        f"shop: {damaged}/photos/mug-01-1.jpg: cannot be read"
    )
    assert done.stderr.count("\n") == 1


def test_making_again_is_a_no_op(catalogue: Path) -> None:
    before = (catalogue / "catalogue.json").stat().st_mtime_ns
    done = run_shop("make", "--kind", "bundled-smoke", "--out", str(catalogue))
    assert (done.returncode, done.stdout) == (
        0,
        f"shop: {catalogue}: bundled-smoke is there already\n",
    )
    assert (catalogue / "catalogue.json").stat().st_mtime_ns == before


def test_missing_data_is_named_and_nothing_is_written(tmp_path: Path) -> None:
    out = tmp_path / "out"
    done = run_shop(
        "make",
        "--kind",
        "clothing",
        "--out",
        str(out),
        "--data",
        str(tmp_path / "nowhere"),
    )
    assert done.returncode == 2
    assert done.stderr.startswith(
        f"shop: {tmp_path}/nowhere/clothing/reviews.csv.gz: cannot be read"
    )
    assert list(tmp_path.iterdir()) == []
    assert run_shop("make", "--kind", "clothing", "--out", str(out)).returncode == 2


def test_a_refused_write_ends_with_1_and_leaves_nothing(tmp_path: Path) -> None:
    """Files above 4 KiB are refused by the kernel, as all are on a full disk."""
    command = [
        "bash",
        "-c",
        'ulimit -f 4; exec "$@"',
        "bash",
        sys.executable,
        str(SHOP),
    ]
    done = subprocess.run(
        [*command, "make", "--kind", "bundled-smoke", "--out", str(tmp_path / "out")],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr == f"shop: {tmp_path / 'out'}: File too large\n"
    assert list(tmp_path.iterdir()) == []
