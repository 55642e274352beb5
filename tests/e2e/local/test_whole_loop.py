"""`make run RECIPE=smoke` as a user has it: real Airflow, real stages, one served answer."""

import json
import re
from pathlib import Path

import pytest

from kindling.catalog import STAGE_NAMES
from kindling_local.layout import Layout

from .conftest import Command, ended, processes_of


@pytest.mark.timeout(1500)
def test_smoke_recipe_from_shop_to_served_answer(
    supervisor: Command, layout: Layout
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
