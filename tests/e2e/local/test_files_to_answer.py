"""`make run DATA=reviews.csv` as an analyst has it: shown, run, answered; or refused before anything starts."""

import csv
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from kindling.catalog import STAGE_NAMES
from kindling_local.layout import Layout

from .conftest import Command, ended, processes_of


@pytest.fixture
def export(tmp_path: Path, repository: Path) -> Path:
    """The smoke catalogue's reviews as an export, their photos in a folder beside it."""
    catalogue = tmp_path / "catalogue"
    shop = [sys.executable, str(repository / "containers/shop")]
    subprocess.run(
        [*shop, "make", "--kind", "bundled-smoke", "--out", str(catalogue)],
        check=True,
        capture_output=True,
    )
    products = {one["product_id"]: one for one in _lines(catalogue / "products.jsonl")}
    path = catalogue / "export.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, delimiter=";")
        writer.writerow(
            "Review ID;Titel;Bewertungstext;Sterne;Produkt ID;Produktname;Kategorie;Datum;Foto".split(
                ";"
            )
        )
        for review in _lines(catalogue / "reviews.jsonl"):
            product = products[review["product_id"]]
            writer.writerow([
                review["review_id"], review["title"], review["body"], f"{review['rating']} Sterne",
                product["product_id"], product["name"], product["category"], review["date"],
                f"photos/{review['photo']}" if review["photo"] else "",
            ])  # fmt: skip
    return path


def _lines(path: Path) -> list[dict[str, str]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


@pytest.mark.timeout(1500)
def test_an_export_becomes_a_report_and_an_answer(
    supervisor: Command, layout: Layout, export: Path
) -> None:
    code, output = ended(supervisor("run", "--data", str(export)), timeout_s=1400)
    assert code == 0, output
    assert re.search(r"body +Bewertungstext +by its name", output)
    assert re.search(r"stars +Sterne +by its name", output)
    assert output.index("recipe      ") < output.index("] starting Airflow")
    for stage in STAGE_NAMES:
        assert re.search(rf"\] {stage} +success: [\d,]+ rows in", output), stage
    report = Path(re.search(r"^report: (\S+)$", output, re.MULTILINE).group(1))
    assert "Polarity macro-F1" in report.read_text(encoding="utf-8")
    answer = json.loads(
        output[output.index('{\n  "sentiment"') :].split("\n}\n")[0] + "\n}"
    )
    assert answer["sentiment"] in {"negative", "neutral", "positive"}
    assert answer["modality"] == "text+image", (
        "the review that is asked about has a photo"
    )
    assert answer["similar_reviews"]
    assert not (layout.var / "catalogues" / "bundled-smoke").exists(), (
        "no shop was needed"
    )
    assert not processes_of(layout), "left behind"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (
            "body,rating\n" + "A mug that is only praised,5\n" * 3,
            "label 20 more of class negative",
        ),
        (
            "name,colour\nx,red\n",
            "no column is recognised as the review's text or as its stars",
        ),
    ],
)
def test_what_is_not_enough_is_refused_before_anything_starts(
    supervisor: Command, layout: Layout, tmp_path: Path, content: str, said: str
) -> None:
    path = tmp_path / "reviews.csv"
    path.write_text(content)
    code, output = ended(supervisor("run", "--data", str(path)))
    assert code == 3, output
    assert said in output and "Traceback" not in output
    assert not layout.postgres.exists() and not layout.state.exists()
