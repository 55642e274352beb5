"""The cold-start curve on real clothing reviews, and whether admission ever makes things worse.

    make bench NAME=coldstart DATA=<folder that holds reviews.csv.gz, or clothing/ with it>
        [--writer recombination] [--draws 5]

Niches are Outerwear, Shorts and Skirts. At each of 0, 10, 50 and 200 real niche rows, and for each
draw, the writer writes anew from those rows and 1,500 of other categories. `curve`: line -> real
rows -> [figure, low, high], three-way macro-F1 on niche rows of products that were not learned
from. `verdicts`: comparison -> real rows -> helps, harms or cannot tell. What admission decides is
decided from the rows of the point alone; `never_significantly_worse` says that the line that
follows it is nowhere shown below the one without generated rows.
"""

import argparse
import json
import time
from pathlib import Path

from kindling.coldstart.curve import Curve, draw_curve
from kindling.coldstart.drawing import text_lines
from kindling.coldstart.plan import Plan, point_name
from kindling.commands.coldstart import read, save
from kindling.modeling.embedder import Embedder
from kindling.stages.writing import ByWriter

NICHES = "Outerwear,Shorts,Skirts"
OUT = Path("var/bench/coldstart")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--writer", default="recombination")
    parser.add_argument("--draws", type=int, default=5)
    given = parser.parse_args()
    folder = given.data / "clothing"
    data = (folder if folder.is_dir() else given.data) / "reviews.csv.gz"
    niche, others, _ = read(str(data), NICHES, 0)
    embedder = Embedder()
    began = time.monotonic()
    curve = draw_curve(
        niche,
        others,
        lambda texts: embedder.encode(list(texts)),
        ByWriter(given.writer, {}, None),
        Plan(draws=given.draws),
    )
    save(curve, OUT)
    print("\n".join(text_lines(curve)))
    print(f"written: {OUT}/curve.html")
    print(json.dumps(summary(curve, time.monotonic() - began)))


def summary(curve: Curve, seconds: float) -> dict[str, object]:
    """The last line."""
    lines: dict[str, dict[str, list[float]]] = {}
    for one in curve.points:
        figure = one.figures[curve.metric]
        ends = [round(end, 4) for end in (figure.value, figure.low, figure.high)]
        lines.setdefault(one.line, {})[point_name(one.real_rows)] = ends
    return {
        "curve": lines,
        "verdicts": curve.verdicts(),
        "never_significantly_worse": curve.never_significantly_worse,
        "generator": curve.generator,
        "draws": curve.draws,
        "niche_rows": curve.niche_rows,
        "products": curve.products,
        "neighbours": curve.neighbours,
        "admitted": curve.admitted,
        "data_sha256": curve.data_sha256,
        "seconds": round(seconds, 1),
    }


if __name__ == "__main__":
    main()
