"""`make run RECIPE=smoke` as a user has it: real Airflow, real stages, one served answer."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from kindling.catalog import STAGE_NAMES
from kindling_local.layout import Layout

from .conftest import Command, ended, processes_of


@pytest.mark.timeout(2400)
def test_smoke_recipe_from_shop_to_served_answer(
    supervisor: Command, layout: Layout, repository: Path
) -> None:
    code, output = ended(supervisor("run", "--recipe", "smoke"), timeout_s=1400)
    assert code == 0, output
    for stage in STAGE_NAMES:
        assert re.search(rf"\] {stage} +success: [\d,]+ rows in, [\d,]+ out", output), (
            f"{stage} is not shown done"
        )
    assert re.search(r"empty_text \d+", output), "reasons of rejected rows are shown"
    assert re.search(r"polarity_macro_f1 +0\.\d+ +\[?0\.\d+", output), (
        "figures are shown with their interval"
    )

    report = Path(re.search(r"^report: (\S+)$", output, re.MULTILINE).group(1))
    page = report.read_text(encoding="utf-8")
    assert "Polarity macro-F1" in page
    assert not re.search(r"(src|href)=[\"']https?://", page), (
        "one file, nothing fetched from elsewhere"
    )

    answer = json.loads(
        output[output.index('{\n  "sentiment"') :].split("\n}\n")[0] + "\n}"
    )
    assert answer["sentiment"] in {"negative", "neutral", "positive"}
    assert answer["modality"] == "text+image" and answer["image_used"] is True
    assert abs(sum(answer["probabilities"].values()) - 1) < 2e-3, (
        "rounded to four digits"
    )
    assert answer["confidence"] == pytest.approx(max(answer["probabilities"].values()))
    assert answer["similar_reviews"]
    assert not processes_of(layout), "left behind"
    _follow_the_documents(supervisor, layout, repository, output)


def blocks(path: Path, heading: str) -> str:
    """The shell block under a heading of a document."""
    section = path.read_text(encoding="utf-8").split(f"## {heading}\n")[1]
    found = re.search(r"```sh\n(.*?)```", section.split("\n## ")[0], re.DOTALL)
    assert found, f"{path.name}, {heading}: no command to run"
    return found.group(1)


def _follow_the_documents(
    supervisor: Command, layout: Layout, repository: Path, output: str
) -> None:
    """README's requests and the runbook's stage by hand, run as they are printed."""
    code, said = ended(supervisor("up", "--recipe", "smoke"), timeout_s=400)
    assert code == 0, said
    (photo,) = list(layout.catalogue("bundled-smoke").glob("photos/*.jpg"))[:1]
    shutil.copy(photo, layout.var / "photo.jpg")
    port = str(layout.ports["inference"])
    asked = blocks(repository / "README.md", "Ask it").replace("8000", port)
    answers = shell(asked.replace("curl -s", "curl -sS --fail"), layout.var)
    decoder, found = json.JSONDecoder(), []
    while answers.strip():
        value, end = decoder.raw_decode(answers.lstrip())
        found.append(value)
        answers = answers.lstrip()[end:]
    assert [one.get("modality") for one in found] == ["text+image", "text", None]
    assert found[-1]["results"]

    by_hand = blocks(repository / "include/docs/runbook.md", "Run one stage by hand")
    run_id = re.search(r"objects/runs/([^/\s]+)/report.html", output).group(1)
    by_hand = by_hand.replace(" var/", f" {layout.var}/")
    report = shell(f"RUN={run_id}\n{by_hand}", repository)
    assert json.loads(report.splitlines()[-1])["unchanged"] is True


def shell(commands: str, folder: Path) -> str:
    """Output of a shell that stops at the first error."""
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", commands],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, f"{commands}\n{done.stderr[-2000:]}"
    return done.stdout
