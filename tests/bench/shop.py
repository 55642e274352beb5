"""What the scraper makes of every layout of the bundled shop, as it is and with planted faults.

    make bench NAME=shop

The shop's own pages (the script layout drawn by Chromium) are read and made rows of; its catalogue is the
truth. `body_f1` and so on are those of the worst layout, faultless. A fault is then planted into all pages of
a layout, or into every tenth review: the run has to raise an alarm against a baseline from other pages, or
deliver no wrong value. `silent_error_rate` is the share of wrong values among those delivered without an
alarm, `fault_recall` the share of faults that were noticed, `false_alarm_rate` that of faultless pages.
"""

import argparse
import json
import random
import re
import shutil
import subprocess
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "containers" / "shop"))

from playwright.sync_api import Route, sync_playwright  # noqa: E402

from kindling.errors import DataError  # noqa: E402
from kindling.scraping.clean import normalise  # noqa: E402
from kindling.scraping.extract import extract  # noqa: E402
from kindling.scraping.health import Health, alarms, health  # noqa: E402
from kindling.scraping.mapping import load as load_mapping  # noqa: E402
from kindling.scraping.rows import Rows, join  # noqa: E402
from kindling.scraping.site import CrawledPage  # noqa: E402
from shop.reading import load  # noqa: E402
from shop.web.layouts import layout_of  # noqa: E402
from shop.web.pages import Pages  # noqa: E402

URL = "http://shop.example"
FIELDS = {"body": "body", "rating": "rating", "title": "title", "date": "published"}
SPLITS = 25
MAX_PAGES = 24
Html = dict[str, str]
Truth = dict[str, dict[str, object]]
Fault = Callable[[str, random.Random], str]


def sometimes(pattern: str, replacement: str, share: float) -> Fault:
    """Replaces that share of the matches, at least one a page."""

    def plant(html: str, rng: random.Random) -> str:
        return re.sub(
            pattern,
            lambda match: (
                match.expand(replacement) if rng.random() < share else match[0]
            ),
            html,
        )

    return plant


def shift_stated(share: float) -> Fault:
    """Stars of structured data and labels moved, what is drawn left as it is."""

    def plant(html: str, rng: random.Random) -> str:
        def moved(match: re.Match[str]) -> str:
            if rng.random() >= share:
                return match[0]
            return f"{match[1]}{1 + (int(match[2]) + 1) % 5}{match[3]}"

        stated = (
            r'("@type": ?"Rating", "ratingValue": ?)([1-5])()',
            r'(itemprop="ratingValue" content=")([1-5])(")',
            r'(aria-label="Rated )([1-5])( out of 5")',
            r'(data-rating=")([1-5])(")',
        )
        for pattern in stated:
            html = re.sub(pattern, moved, html)
        return html

    return plant


FAULTS: dict[str, Fault] = {
    "stars of a tenth are moved": shift_stated(0.1),
    "all stars are moved": shift_stated(1.0),
    "stars on another scale": sometimes(
        r'("ratingValue": ?|itemprop="ratingValue" content="|aria-label="Rated |data-rating=")([1-5])',
        r"\g<1>\g<2>0",
        1.0,
    ),
    "classes and types renamed": sometimes(
        r"customer-review|review-card|schema\.org/Review\b|\"@type\": ?\"Review\"", "x-r", 1.0
    ),
    "bodies renamed": sometimes(
        r'reviewBody|class="text review-text"|review-card__body', "blurb", 1.0
    ),
    "dates unreadable": sometimes(r"20\d\d-\d\d-\d\d", "recently", 1.0),
    "ids all alike": sometimes(
        r'("identifier": ?"|"@id": ?"[^"]*#|itemid="[^"]*#|data-review-id=")[^"]+', r"\g<1>same", 1.0
    ),
    "blocks cut off": lambda html, rng: re.sub(
        r'("reviewBody".{40}).*?</script>', r"\1</script>", html, flags=re.DOTALL
    ) if "ld+json" in html else html[: len(html) // 3],
    "bytes broken": sometimes(r"(?<=[a-z])e(?=[a-z])", "\ufffd", 0.2),
}  # fmt: skip

SCATTERED = {"stars of a tenth are moved"}


def drawn(pages: Pages, paths: list[str]) -> Html:
    """The script layout's pages as Chromium draws them, answered from memory."""
    executable = shutil.which("chromium") or shutil.which("google-chrome")
    if executable is None:
        raise SystemExit("the script layout needs chromium on the PATH")

    def answer(route: Route) -> None:
        path = route.request.url.removeprefix(URL)
        found = re.match(
            r"/(p|api/products)/([^/?]+)(?:/reviews)?(?:\?.*page=(\d+))?", path
        )
        if found is None:
            route.fulfill(status=404)
            return
        page = int(found[3] or 1)
        if found[1] == "p":
            body, kind = pages.product(found[2], page), "text/html; charset=utf-8"
        else:
            body, kind = pages.reviews_json(found[2], page), "application/json"
        route.fulfill(body=body or b"", content_type=kind)

    html: Html = {}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=executable, args=["--no-sandbox"]
        )
        tab = browser.new_page()
        tab.route("**/*", answer)
        for path in paths:
            tab.goto(f"{URL}{path}")
            tab.wait_for_selector(
                '#reviews-root[aria-busy="false"]', timeout=10_000, state="attached"
            )
            html[path] = tab.content()
        browser.close()
    return html


def stocked() -> tuple[dict[str, Html], Truth]:
    """Pages by layout and address, and the true reviews by id."""
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder) / "catalogue"
        shop = [
            sys.executable,
            str(ROOT / "containers/shop"),
            "make",
            "--kind",
            "bundled-demo",
        ]
        subprocess.run([*shop, "--out", str(made)], check=True, capture_output=True)
        catalogue = load(made)
        pages = Pages(catalogue)
        layouts: dict[str, Html] = defaultdict(dict)
        for product in sorted(catalogue.products):
            page = 1
            while (body := pages.product(product, page)) is not None:
                path = f"/p/{product}" + (f"?page={page}" if page > 1 else "")
                layouts[layout_of(product)][path] = body.decode()
                page += 1
        layouts = {name: whole_products(html) for name, html in layouts.items()}
        layouts["script"] = drawn(pages, list(layouts["script"]))
        truth = {
            one.review_id: {
                "body": normalise(one.body),
                "title": normalise(one.title),
                "rating": one.rating,
                "published": one.date,
                "product": one.product_id,
            }
            for one in catalogue.reviews
        }
    return layouts, truth


def whole_products(html: Html) -> Html:
    """The first products with all of their pages, as many as fit."""
    pages: dict[str, list[str]] = defaultdict(list)
    for path in html:
        pages[path.partition("?")[0]].append(path)
    kept: Html = {}
    for paths in pages.values():
        if len(kept) + len(paths) <= MAX_PAGES:
            kept |= {path: html[path] for path in paths}
    return kept


MAPPING = load_mapping("bundled_shop.yaml")


def read(html: Html) -> tuple[list[CrawledPage], Rows]:
    fetched = datetime.now(UTC)
    pages = []
    for path, text in html.items():
        body = text.replace("\ufffd", "\udcff").encode("utf-8", "surrogateescape")
        found = extract(body, f"{URL}{path}", MAPPING, "text/html; charset=utf-8")
        pages.append(
            CrawledPage(f"{URL}{path}", 200, "0", "memory://", "http", fetched, found)
        )
    return pages, join(pages, {})


def native(review_id: str) -> str:
    return review_id.rsplit(":", 1)[-1]


def scores(rows: Rows, truth: Truth, shown: set[str]) -> dict[str, float]:
    """F1 by field over the reviews that the pages show and that have a text."""
    given = {native(one.review_id): one for one in rows.reviews}
    found: dict[str, float] = {}
    for name, field in FIELDS.items():
        wanted = {key for key in shown if truth[key][field]}
        delivered = {key for key, one in given.items() if getattr(one, field)}
        right = sum(
            getattr(given[key], field) == truth.get(key, {}).get(field)
            for key in delivered
        )
        found[name] = 2 * right / max(len(wanted) + len(delivered), 1)
    return found


def wrong_values(rows: Rows, truth: Truth) -> tuple[int, int]:
    """Wrong and all values that were delivered; a review that is nobody's is wrong in all of them."""
    wrong = given = 0
    for one in rows.reviews:
        true = truth.get(native(one.review_id))
        for field in FIELDS.values():
            value = getattr(one, field)
            if value:
                given += 1
                wrong += true is None or value != true[field]
    return wrong, given


def halves(html: Html, rng: random.Random) -> tuple[Html, Html]:
    """Two parts of the products, each with all of its pages."""
    products = sorted({path.partition("?")[0] for path in html})
    rng.shuffle(products)
    first = set(products[: len(products) // 2])
    parts: tuple[Html, Html] = ({}, {})
    for path, text in html.items():
        parts[path.partition("?")[0] not in first][path] = text
    return parts


def noticed(html: Html, before: Health) -> tuple[Rows | None, list[str]]:
    try:
        pages, rows = read(html)
    except DataError as error:
        return None, [str(error)]
    return rows, alarms(health(pages, rows), before)


def faultless(layouts: dict[str, Html], truth: Truth) -> dict[str, float]:
    worst: dict[str, float] = {}
    covered = expected = 0
    for name, html in layouts.items():
        _, rows = read(html)
        words = set(re.findall(r"[\w-]+", "\n".join(html.values())))
        shown = {
            key
            for key, one in truth.items()
            if key in words and (one["body"] or one["title"])
        }
        got = scores(rows, truth, shown)
        print(f"{name}: {len(html)} pages, {len(shown)} reviews, F1 {got}")
        worst = {key: min(value, worst.get(key, 1.0)) for key, value in got.items()}
        covered += len({native(one.review_id) for one in rows.reviews} & shown)
        expected += len(shown)
    found = {f"{key}_f1": round(value, 4) for key, value in worst.items()}
    return {**found, "coverage": round(covered / expected, 4)}


def faulty(
    layouts: dict[str, Html], truth: Truth
) -> Iterator[tuple[str, str, bool, int, int]]:
    """Layout, fault, whether it was noticed, and wrong and all values delivered without an alarm."""
    for name, html in layouts.items():
        rng = random.Random(f"{name}")
        good, other = halves(html, rng)
        before = health(*read(good))
        for fault, plant in FAULTS.items():
            planted = {path: plant(text, rng) for path, text in other.items()}
            if planted == other:
                continue
            rows, found = noticed(planted, before)
            if rows is None or found:
                yield name, fault, True, 0, 0
                continue
            wrong, given = wrong_values(rows, truth)
            # What touches single reviews is dealt with where each of them is null.
            yield name, fault, fault in SCATTERED and not wrong, wrong, given


def false_alarms(layouts: dict[str, Html]) -> float:
    raised = 0
    for name, html in layouts.items():
        for split in range(SPLITS):
            good, other = halves(html, random.Random(f"{name} {split}"))
            told = noticed(other, health(*read(good)))[1]
            raised += bool(told)
            if told:
                print(f"{name}, faultless split {split}: {'; '.join(told)}")
    return raised / (SPLITS * len(layouts))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", help="not used")
    parser.parse_args()
    layouts, truth = stocked()
    figures = faultless(layouts, truth)
    results = list(faulty(layouts, truth))
    for name, fault, was_noticed, wrong, given in results:
        told = (
            "noticed"
            if was_noticed
            else f"not noticed, {wrong} of {given} values wrong"
        )
        print(f"{name}, {fault}: {told}")
    counts = Counter(was_noticed for _, _, was_noticed, _, _ in results)
    delivered = sum(given for *_, given in results)
    wrong = sum(one for *_, one, _ in results)
    print(
        json.dumps(
            {
                **figures,
                "silent_error_rate": round(wrong / delivered, 5) if delivered else 0.0,
                "faults": len(results),
                "fault_recall": round(counts[True] / len(results), 4),
                "false_alarm_rate": round(false_alarms(layouts), 4),
            }
        )
    )


if __name__ == "__main__":
    main()
