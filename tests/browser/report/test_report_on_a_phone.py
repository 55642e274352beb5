"""A night's report on a phone: the verdict is on the first screen, and nothing scrolls sideways."""

from datetime import UTC, datetime

import numpy as np
import pytest
from playwright.sync_api import sync_playwright

from kindling.evaluation.controls import Latency
from kindling.evaluation.evaluator import Answers, evaluate
from kindling.evaluation.figures import Beside, EvaluationFigures
from kindling.evaluation.gate import judge
from kindling.evaluation.ledger import Look
from kindling.evaluation.looks import Entry
from kindling.evaluation.report import Coverage, Provenance, Surroundings, render
from kindling.evaluation.sealed import SealedFigures
from kindling.evaluation.verdict import Evidence, Rules
from kindling.measure.sample import Sample
from kindling.records import Example, StageReport, sentiment_of

RULES = Rules("polarity_macro_f1", bar=0.95, tolerance=0.02, min_photos=100)
#: Names as long as they come: none may push the page wider than the screen.
RUN = "manual__2026-11-25T02:00:00.000000+00:00_of_a_rather_long_name"
NOTE = "Photos and their conditions are drawn by this project."


def golden() -> list[Example]:
    return [
        Example(
            f"r{at}",
            f"product-{at % 20}",
            ("Outerwear and Raincoats", "Vases")[at % 2],
            "Supercalifragilisticexpialidocious" * 4 + " fell apart on the first day",
            sentiment_of(1 + at % 5),
            1 + at % 5,
            "scraped",
            "golden",
            photo_id=f"h{at}",
            photo_uri=f"memory://{at}",
        )
        for at in range(200)
    ]


@pytest.fixture(scope="module")
def page() -> str:
    rows = golden()
    truth, rng = Sample.of(rows).truth, np.random.default_rng(0)

    def said(skill: float) -> np.ndarray:
        odds = np.exp(rng.normal(size=(200, 3)) + skill * np.eye(3)[truth])
        return odds / odds.sum(1, keepdims=True)

    own, photo = said(2.0), said(0.5)
    answers = Answers(
        own,
        said(1.0),
        said(1.5),
        np.arange(200),
        lambda texts, photos: photo[photos] if texts is None else own[texts],
        said(1.2),
    )
    found = evaluate(rows, ("Vases",), answers, seed=0)
    figures, over = found.systems["candidate"], found.differences["baseline"]
    accuracy = {"dark photo": over["three_way_macro_f1"]}
    beside = Beside(
        accuracy, accuracy, "1", (), SealedFigures(80, 7, figures, {}, over)
    )
    handed = EvaluationFigures.of(
        found, ("12", "11"), {"text+image": Latency(40, 20.0, 31.0)}, beside
    )
    verdict = judge(RULES, Evidence.of(handed, RULES.metric))
    assert verdict.outcome == "fail"
    look = Look(RUN, "12", RULES.metric, "a" * 64, "1", 0.8, 0.01, -0.01, 0.01)
    codes = ("bar", "not-worse-than-champion", "niche-category")
    entry = Entry(look, datetime(2026, 11, 25, tzinfo=UTC), "fail", codes)
    pipeline = [StageReport("dedupe", RUN, 900, 800, {"beyond_product_share": 100})]
    coverage = [Coverage("Vases", "negative", 40, 30, {"torn": 9, "stained": 8})]
    provenance = Provenance(
        RUN,
        "clothing",
        "1-2 negative, 3 neutral, 4-5 positive",
        7,
        ("Vases",),
        NOTE,
        "c" * 64,
        "12",
        "11",
        "MiniLM@53aa",
        "2.15",
    )
    around = Surroundings(handed, pipeline, coverage, [entry] * 12)
    return render(found, verdict, provenance, rows, around)


@pytest.mark.parametrize("width", [390, 1280])
def test_nothing_scrolls_sideways_and_the_verdict_is_on_the_first_screen(
    page: str, width: int, chromium: str
) -> None:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium, args=["--no-sandbox", "--disable-gpu"]
        )
        tab = browser.new_page(viewport={"width": width, "height": 844})
        tab.set_content(page)
        assert tab.evaluate("document.documentElement.scrollWidth") <= width
        for words in ("Refused by the gate", "What next"):
            box = tab.get_by_text(words).first.bounding_box()
            assert box and box["y"] + box["height"] < 844, words
        browser.close()
