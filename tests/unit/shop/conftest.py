"""The shop's code on the path, and small catalogues to look at."""

import csv
import gzip
import io
import os
import sys
from pathlib import Path

import pytest
from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "containers" / "shop"))

from shop.bundled.making import bundled
from shop.records import Contents

SEED = 20261121
ROWS = (
    ("10", "Dresses", "Lovely", 'He said "wow" & left <3', 5),
    ("10", "Dresses", "", "", 1),
    ("10", "Dresses", "Torn", "Came apart\r\n\r\nin a week", 1),
    ("10", "Dresses", "Fine", "It is fine", 3),
    ("11", "Dresses", "", "Nice cut", 4),
    ("12", "Knits", "Soft", "So soft", 5),
    ("13", "Sweaters", "Itchy", "Too itchy", 2),
    ("14", "Outerwear", "", "Warm 😍", 4),
    ("14", "Jackets", "", "Same id, other class", 4),
    ("15", "", "Odd", "No class at all", 5),
)
PHOTOS = (
    "dress",
    "dress",
    "dress",
    "longsleeve",
    "t-shirt",
    "outwear",
    "outwear",
    "hat",
    "shoes",
    "shoes",
)


def write_clothing(root: Path) -> Path:
    """A small data set in the form of the real one; returns the --data folder."""
    folder = root / "clothing"
    (folder / "photos").mkdir(parents=True)
    text = io.StringIO(newline="")
    table = csv.writer(text)
    table.writerow(["", "Clothing ID", "Title", "Review Text", "Rating", "Class Name"])
    table.writerows(
        [n, clothing, title, body, stars, garment]
        for n, (clothing, garment, title, body, stars) in enumerate(ROWS)
    )
    (folder / "reviews.csv.gz").write_bytes(gzip.compress(text.getvalue().encode()))
    lines = ["image_id,category,file"]
    for number, garment in enumerate(PHOTOS):
        picture = Image.linear_gradient("L").resize((192, 256)).convert("RGB")
        picture.paste((40 + 20 * number, 90, 160), (40, 50, 150, 200))
        picture.save(folder / "photos" / f"{garment}_{number}.jpg")
        lines.append(f"{number},{garment},photos/{garment}_{number}.jpg")
    (folder / "photos.csv").write_text("\n".join(lines) + "\n")
    return root


@pytest.fixture(scope="session")
def smoke() -> Contents:
    return bundled("bundled-smoke", SEED)


@pytest.fixture
def small_data(tmp_path: Path) -> Path:
    return write_clothing(tmp_path / "data")


@pytest.fixture(scope="session")
def clothing_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The real data set where KINDLING_DATA names it, else the small one: the same laws hold for both."""
    real = os.environ.get("KINDLING_DATA", "")
    return Path(real) if real else write_clothing(tmp_path_factory.mktemp("clothing"))
