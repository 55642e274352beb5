"""How many of the reviews that saved pages of real shops hold are found, without a rule for any named shop.

    make bench NAME=pages DATA=<folder that holds shop_pages/>

`recall` is the share of the true reviews whose text was found on their page, `precision` the share of the
found texts that are true. Texts are compared by their words, after mojibake in the truth is undone and white
space left out. A page without truth and a review without a body count for nothing: nobody has told what is
on them. Pages of one shop are read together, as in a crawl.
"""

import argparse
import gzip
import json
from collections import Counter, defaultdict
from pathlib import Path
from urllib.parse import urlsplit

from inputs.datasets import dataset

from kindling.scraping.findings import FoundReview
from kindling.scraping.mapping import Mapping
from kindling.scraping.reading import SavedPage, read_together

NO_RULES = Mapping(name="none", version=1)
#: One true text begins with the words of a video player.
PLAYER = "Your browser does not support HTML5 video."
START = 80


def words(text: str) -> str:
    """The text's letters and digits, mojibake undone where that gives a text."""
    for encoding in ("cp1252", "latin-1"):
        try:
            text = text.encode(encoding).decode("utf-8")
            break
        except UnicodeError:
            continue
    kept = "".join(char for char in text.lower() if char.isalnum())
    ascii_only = "".join(char for char in kept if char.isascii())
    return (ascii_only if 2 * len(ascii_only) > len(kept) else kept)[:START]


def counted(texts: list[str]) -> Counter[str]:
    return Counter(folded for text in texts if (folded := words(text)))


def read(folder: Path, truth: dict) -> dict[str, tuple[FoundReview, ...]]:
    """Found reviews by page, the pages of one shop read together."""
    products = json.loads((folder / "products.json").read_text(encoding="utf-8"))
    shops: dict[str, list[SavedPage]] = defaultdict(list)
    for path in sorted(folder.glob("html/*.html.gz")):
        key = path.name.split(".")[0]
        entry = truth.get(key) or products.get(key) or {}
        url = entry.get("url") or f"https://{key}.example/"
        body = gzip.decompress(path.read_bytes())
        shops[shop_of(url)].append(SavedPage(key, url, body))
    return {
        page.name: extraction.reviews
        for pages in shops.values()
        for page, extraction in read_together(pages, NO_RULES)
    }


def shop_of(url: str) -> str:
    """The shop's name without www and country: one template serves them all."""
    host = (urlsplit(url).hostname or "").removeprefix("www.")
    parts = host.split(".")
    tail = 2 if len(parts) > 2 and len(parts[-2]) <= 3 else 1
    return ".".join(parts[:-tail]) or host


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    folder = dataset(parser.parse_args().data, "shop_pages")
    truth = json.loads((folder / "reviews.json").read_text(encoding="utf-8"))
    found = read(folder, truth)
    right = wanted = given = rated = matched = 0
    for key, entry in truth.items():
        true = counted([one["body"].removeprefix(PLAYER) for one in entry["reviews"]])
        got = counted([one.body for one in found[key]])
        hits = true & got
        right += hits.total()
        wanted += true.total()
        given += got.total()
        stars = {words(one.body): one.rating for one in found[key]}
        for one in entry["reviews"]:
            if (text := words(one["body"].removeprefix(PLAYER))) in hits:
                matched += 1
                rated += stars[text] == float(one["rating"])
        methods = dict(Counter(one.method for one in found[key]))
        shop = urlsplit(entry["url"]).hostname
        print(
            f"{shop}: {hits.total()} of {true.total()} found, {got.total()} given {methods}"
        )
    others = sum(len(reviews) for key, reviews in found.items() if key not in truth)
    print(f"{others} reviews on pages without truth, not counted")
    print(
        json.dumps(
            {
                "pages": len(found),
                "pages_with_truth": len(truth),
                "reviews": wanted,
                "recall": round(right / wanted, 4),
                "precision": round(right / given, 4) if given else None,
                "rating_right": round(rated / matched, 4) if matched else None,
            }
        )
    )


if __name__ == "__main__":
    main()
