"""The first hour of an analyst: 500 reviews in five export shapes, 20 hostile files, one whole run.

`make bench NAME=firsthour DATA=folder`. With `--no-run` nothing is started and `seconds` is null.
The last line is one JSON object: `recognised` of 5, `read_or_refused_with_line` of 20, and `seconds`
from the command to its end, with the report written and /analyze answered.
"""

import argparse
import csv
import gzip
import io
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from inputs.datasets import dataset

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "include")]

from kindling.ports.source import SourceTools  # noqa: E402
from kindling.sources.files import Options  # noqa: E402
from kindling.sources.files.collecting import Files, Survey  # noqa: E402

REVIEWS = 500
HOSTILE = 20
PORTS = ("AIRFLOW", "INFERENCE", "MLFLOW", "SHOP")

Row = Mapping[str, str]

#: Export -> columns, each made of a row of the clothing reviews and its number.
SHAPES: dict[str, dict[str, Callable[[Row, int], Any]]] = {
    "Judge.me": {
        "title": lambda row, _: row["Title"],
        "body": lambda row, _: row["Review Text"],
        "rating": lambda row, _: row["Rating"],
        "review_date": lambda _, n: f"2024-{n % 12 + 1:02d}-11 08:00:00 UTC",
        "source": lambda *_: "web",
        "curated": lambda *_: "ok",
        "reviewer_name": lambda *_: "A. B.",
        "reviewer_email": lambda *_: "a@b.example",
        "product_id": lambda row, _: row["Clothing ID"],
        "product_handle": lambda row, _: f"item-{row['Clothing ID']}",
        "product_type": lambda row, _: row["Class Name"],
        "reply": lambda *_: "",
        "picture_urls": lambda *_: "",
    },
    "Loox": {
        "product_handle": lambda row, _: f"item-{row['Clothing ID']}",
        "rating": lambda row, _: row["Rating"],
        "author": lambda *_: "A. B.",
        "email": lambda *_: "a@b.example",
        "body": lambda row, _: f"{row['Title']} {row['Review Text']}",
        "created_at": lambda _, n: f"2024-{n % 12 + 1:02d}-11T08:00:00Z",
        "photo_url": lambda *_: "",
        "verified_purchase": lambda *_: "true",
    },
    "Yotpo": {
        "Review ID": lambda _, n: 9_000 + n,
        "Review Title": lambda row, _: row["Title"],
        "Review Content": lambda row, _: row["Review Text"],
        "Review Score": lambda row, _: row["Rating"],
        "Date": lambda _, n: f"2024-{n % 12 + 1:02d}-11",
        "Product ID": lambda row, _: row["Clothing ID"],
        "Product Title": lambda row, _: f"{row['Class Name']} {row['Clothing ID']}",
        "Display Name": lambda *_: "A. B.",
        "Email": lambda *_: "a@b.example",
        "Published Image URL": lambda *_: "",
    },
    "Okendo": {
        "productId": lambda row, _: f"shopify-{row['Clothing ID']}",
        "productName": lambda row, _: f"{row['Class Name']} {row['Clothing ID']}",
        "rating": lambda row, _: row["Rating"],
        "title": lambda row, _: row["Title"],
        "body": lambda row, _: row["Review Text"],
        "name": lambda *_: "A. B.",
        "email": lambda *_: "a@b.example",
        "dateCreated": lambda _, n: f"2024-{n % 12 + 1:02d}-11T08:00:00.000Z",
        "isRecommended": lambda row, _: row["Recommended IND"],
        "imageUrls": lambda *_: "",
    },
    "Trustpilot": {
        "Review Id": lambda _, n: f"tp{n}",
        "Review Created (UTC)": lambda _, n: f"2024-{n % 12 + 1:02d}-11T08:00:00Z",
        "Consumer Name": lambda *_: "A. B.",
        "Review Title": lambda row, _: row["Title"],
        "Review Content": lambda row, _: row["Review Text"],
        "Review Stars": lambda row, _: row["Rating"],
        "Product SKU": lambda row, _: row["Clothing ID"],
        "Domain": lambda *_: "shop.example",
        "Company Reply": lambda *_: "",
    },
}


def clothing(data: Path) -> list[Row]:
    """500 of the clothing reviews that have a text, the same ones every time."""
    file = dataset(data, "clothing") / "reviews.csv.gz"
    with gzip.open(file, "rt", encoding="utf-8", newline="") as lines:
        rows = [row for row in csv.DictReader(lines) if row["Review Text"].strip()]
    return random.Random(20261125).sample(rows, REVIEWS)


def exported(rows: list[Row], shape: str) -> str:
    """The rows as that export has them."""
    columns = SHAPES[shape]
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow(columns)
    for number, row in enumerate(rows):
        writer.writerow([make(row, number) for make in columns.values()])
    return out.getvalue()


def recognises(survey: Survey, shape: str, rows: list[Row]) -> bool:
    """Whether shape, text, stars, products and dates of all 500 rows are what they were."""
    if [one.shape for one in survey.files] != [shape]:
        return False
    stars = sorted(int(row["Rating"]) for row in rows)
    return (
        sorted(one.rating for one in survey.reviews) == stars
        and all(one.published for one in survey.reviews)
        and survey.named_products == len({row["Clothing ID"] for row in rows})
    )


def hostile(rows: list[Row]) -> Iterator[tuple[str, bytes, int]]:
    """Name, content, and how many rows of it anybody could read."""
    text = exported(rows[:40], "Judge.me")
    plain = "".join(
        f"{row['Rating']},{row['Clothing ID']},{' '.join(row['Review Text'].split()).replace(',', ' ').replace(chr(34), ' ')}\n"
        for row in rows[:40]
    )
    head = "rating,product_id,body\n"
    lines = (head + plain).splitlines()

    def among(*odd: str) -> bytes:
        return "\n".join([*lines[:20], *odd, *lines[20:]]).encode() + b"\n"

    yield "bom.csv", text.encode("utf-8-sig"), 40
    yield "utf16.csv", text.encode("utf-16"), 40
    yield "cp1252.csv", (head + plain.replace("I ", "Ich fände ")).encode("cp1252"), 40
    yield "semicolons.csv", (head + plain).replace(",", ";").encode(), 40
    yield "sep.csv", ("sep=;\n" + (head + plain).replace(",", ";")).encode(), 40
    yield "html.csv", (head + plain.replace(" the ", " <b>the</b><br/> ")).encode(), 40
    starry = [f"{line[0]} stars{line[1:]}" for line in lines[1:]]
    yield "five_stars.csv", "\n".join([head.strip(), *starry]).encode(), 40
    yield "no_dates.csv", (head + plain).encode(), 40
    yield "doubled_header.csv", among(head.strip()), 40
    yield "long_line.csv", b"", 40
    yield "nul.csv", among("5,7,a \x00 byte"), 40
    yield "ragged.csv", among("5,7,one,more,cell", "5"), 40
    yield "open_quote.csv", among('5,7,"it never closes'), 40
    yield "empty.csv", b"", 0
    yield "binary.csv", random.Random(3).randbytes(20_000), 0
    yield "workbook.csv", b"PK\x03\x04" + random.Random(4).randbytes(20_000), 0
    yield "duplicates.csv", among(lines[3], lines[4]), 40
    yield (
        "commas.csv",
        (head + plain).replace(",", ";").replace("5;", "5,0;").encode(),
        40,
    )
    yield "cut.csv.gz", gzip.compress((head + plain).encode())[:-200], -1
    yield "old_mac.csv", (head + plain).replace("\n", "\r").encode(), 40


def write_long_line(path: Path, rows: list[Row]) -> None:
    """40 reviews with a line of 2 GB among them, packed so that it takes no disk."""
    with gzip.open(path, "wb", compresslevel=1) as file:
        file.write(b"rating,product_id,body\n")
        for number, row in enumerate(rows[:40]):
            if number == 20:
                file.write(b'5,7,"')
                for _ in range(2_048):
                    file.write(b"x" * (1 << 20))
                file.write(b'"\n')
            body = " ".join(row["Review Text"].split()).replace('"', "'")
            file.write(f'{row["Rating"]},{row["Clothing ID"]},"{body}"\n'.encode())


def survived(path: Path, readable: int) -> bool:
    """Whether every row was read or refused with a line and a reason, in a process of its own."""
    code = (
        "import json, resource, sys; sys.path[:0] = [sys.argv[2]]\n"
        "from kindling.ports.source import SourceTools\n"
        "from kindling.sources.files import Options\n"
        "from kindling.sources.files.collecting import Files\n"
        "found = Files(Options(path=sys.argv[1]), SourceTools(None, None, 0, '', None)).survey()\n"
        "print(json.dumps([len(found.reviews), [[one.row_id, one.reason] for one in "
        "found.rows.rejections], resource.getrusage(resource.RUSAGE_SELF).ru_maxrss]))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(path), str(ROOT / "include")],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    if done.returncode:
        print(f"{path.name}: {done.stderr.strip()[-300:]}")
        return False
    read, refused, peak_kib = json.loads(done.stdout)
    placed = all(
        row.startswith(f"{path.name}:") and row.rpartition(":")[2].isdigit() and reason
        for row, reason in refused
    )
    enough = read == readable if readable >= 0 else read > 0 and bool(refused)
    good = placed and enough and (read > 0 or bool(refused)) and peak_kib < 600_000
    reasons = ", ".join(f"{row} {reason}" for row, reason in refused[:3]) or "nothing"
    print(f"{path.name:<20} read {read}, refused {reasons}; {peak_kib // 1024} MiB")
    return good


def whole_run(path: Path, folder: Path) -> tuple[float, int, str]:
    """Seconds, exit code and output of `make run DATA=path` on an installation of its own."""
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT / "include"),
        "KINDLING_VAR": str(folder / "var"),
        **{f"KINDLING_PORT_{name}": str(_free_port()) for name in PORTS},
    }
    started = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "kindling_local", "run", "--data", str(path)],
        env=environment,
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return time.monotonic() - started, done.returncode, done.stdout


def _free_port() -> int:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--no-run", action="store_true")
    arguments = parser.parse_args()
    rows = clothing(arguments.data)
    tools: Any = SourceTools(None, None, 0, "", None)  # type: ignore[arg-type]
    with tempfile.TemporaryDirectory(prefix="kindling-firsthour-") as name:
        folder = Path(name)
        recognised = 0
        for shape in SHAPES:
            path = folder / f"{shape.lower().replace('.', '')}.csv"
            path.write_text(exported(rows, shape), encoding="utf-8", newline="")
            survey = Files(Options(path=str(path), products="column"), tools).survey()
            recognised += recognises(survey, shape, rows)
            print(f"{shape:<12} {len(survey.reviews)} of {REVIEWS} reviews")
        kept = 0
        for file, content, readable in hostile(rows):
            path = folder / file
            if file == "long_line.csv":
                write_long_line(path, rows)
            else:
                path.write_bytes(content)
            kept += survived(path, readable)
        seconds, code = None, None
        if not arguments.no_run:
            seconds, code, output = whole_run(folder / "judgeme.csv", folder)
            print(output)
    answered = code == 0
    figures = {
        "seconds": round(seconds, 1) if seconds is not None and answered else None,
        "answered": answered if seconds is not None else None,
        "recognised": recognised,
        "read_or_refused_with_line": kept,
        "files": HOSTILE,
    }
    print(json.dumps(figures))
    return 0


if __name__ == "__main__":
    sys.exit(main())
