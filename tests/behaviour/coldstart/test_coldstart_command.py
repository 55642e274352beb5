"""The command on files of a user's own: his reviews, his generator, one table."""

import csv
import json
import shlex
import sys
from pathlib import Path

import pytest

from kindling.__main__ import main

GENERATOR = """
import json, sys
given = json.load(sys.stdin)
says = {"negative": "It broke and I sent it back", "neutral": "It is all right", "positive": "I love it"}
for cell in given["cells"]:
    for number in range(cell["count"]):
        text = f"{says[cell['sentiment']]}, number {number} of {given['seed']}."
        print(json.dumps({**cell, "text": text, "sources": []}))
"""
SAYS = {
    1: "It broke at once and went back",
    2: "Poor work, the handle is loose",
    3: "Neither good nor bad, it will do",
    4: "A good thing for the money",
    5: "I love it, lovely work",
}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("data") / "reviews.csv"
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["product_id", "category", "review text", "stars"])
        for number in range(160):
            category = ("Cups", "Bowls")[number % 2]
            stars = number // 2 % 5 + 1
            text = f"{SAYS[stars]}, so says customer {number} of this shop."
            writer.writerow([f"{category}-{number % 24}", category, text, stars])
    return path


def asked(data: Path, *more: str) -> list[str]:
    return [
        *("coldstart", "--data", str(data), "--niche", "Cups", "--points", "0,10"),
        *("--draws", "2", "--rows-a-cell", "4", *more),
    ]


def test_a_command_gets_the_table_and_the_page(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = shlex.join([sys.executable, "-c", GENERATOR])
    out = tmp_path / "curve"
    assert main(asked(data, "--command", command, "--out", str(out))) == 0
    printed = capsys.readouterr().out
    for line in ("zero-shot", "synthetic only", "seeds + neighbours + synthetic"):
        assert line in printed
    assert "synthesis, 10 real rows: " in printed
    stored = json.loads((out / "curve.json").read_text())
    assert stored["generated"] == {"0": 12.0, "10": 12.0, "all": 12.0}
    assert (out / "curve.html").read_text().startswith("<!doctype html>")
    assert "xmlns=" in (out / "curve.svg").read_text()


def test_a_file_of_rows_gets_the_same(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = tmp_path / "rows.jsonl"
    texts = {"negative": "It broke", "positive": "I love it"}
    rows.write_text(
        "\n".join(
            json.dumps({"text": text, "sentiment": mood, "category": "Cups"})
            for mood, text in texts.items()
        )
    )
    assert main(asked(data, "--rows", str(rows), "--json")) == 0
    stored = json.loads(capsys.readouterr().out)
    assert stored["generator"] == "rows.jsonl"
    assert stored["generated"]["0"] == 2.0


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--niche", "Cuops"], "no review is of the category 'Cuops' (Cups?)"),
        (["--points", "a"], "--points 'a'; whole numbers"),
        (["--draws", "0"], "--draws 0; at least 1"),
        (["--writer", "nobody"], "nobody"),
        (["--zero-shot", "llm"], "KINDLING_LLM_MODEL"),
        (["--data", "nowhere.csv"], "no such file or folder"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(
    data: Path,
    flags: list[str],
    message: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("KINDLING_LLM_MODEL", raising=False)
    assert main(asked(data, *flags)) == 2
    said = capsys.readouterr().err.splitlines()[-1]
    assert said.startswith("kindling coldstart: ") and message in said
