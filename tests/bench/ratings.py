"""How many star ratings of real shops are read as people would read them, value and full marks.

    make bench NAME=ratings DATA=<folder that holds shop_pages/>

Each snippet is an element and the element around it; the reader gets both, as it does on a page. `wrong`
counts values that were read and are not the true one; no value at all is a miss, not a wrong value. In the
truth full marks are those written with the value ("4.5 / 5"), so those that only a percent sign or another
statement nearby implies are left out of `best_exact`, though the crawl uses them.
"""

import argparse
import json
from pathlib import Path

from inputs.datasets import dataset
from selectolax.lexbor import LexborHTMLParser

from kindling.scraping.rating import Rating
from kindling.scraping.rating_element import rating_of

#: The attribute that marks the element within the one around it.
MARK = "xd-target-node"


def read(snippet: dict[str, str]) -> Rating | None:
    around = LexborHTMLParser(snippet.get("parent_html") or snippet["html"]).body
    node = around.css_first(f"[{MARK}]") if around is not None else None
    node = node or LexborHTMLParser(snippet["html"]).body
    return rating_of(node, around) if node is not None else None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    path = dataset(parser.parse_args().data, "shop_pages") / "rating_snippets.json"
    snippets = json.loads(path.read_text(encoding="utf-8"))
    exact = best_exact = wrong = 0
    for number, snippet in enumerate(snippets):
        found = read(snippet)
        value = found.value if found else None
        best = found.best if found and found.best_stated else None
        right = value == snippet["ratingValue"]
        exact += right
        wrong += value is not None and not right
        best_exact += right and best == snippet["bestRating"]
        if not right or best != snippet["bestRating"]:
            true = f"{snippet['ratingValue']} of {snippet['bestRating']}"
            print(f"snippet {number}: {value} of {best}, true {true}")
    count = len(snippets)
    print(
        json.dumps(
            {
                "snippets": count,
                "exact": round(exact / count, 4),
                "best_exact": round(best_exact / count, 4),
                "wrong": wrong,
            }
        )
    )


if __name__ == "__main__":
    main()
