"""One evaluation: slices, systems, mistakes, and a report that stands alone."""

import json
import re
from dataclasses import replace

import numpy as np
import pytest
from scipy.special import softmax

from kindling.errors import DataError
from kindling.evaluation.controls import Latency
from kindling.evaluation.evaluator import Answers, Evaluation, evaluate
from kindling.evaluation.figures import Beside, EvaluationFigures
from kindling.evaluation.gate import judge
from kindling.evaluation.looks import Ledger, look_of
from kindling.evaluation.report import Coverage, Provenance, Surroundings, render
from kindling.evaluation.sealed import SealedFigures
from kindling.evaluation.verdict import Check, Evidence, Rules, Verdict
from kindling.measure.sample import Sample
from kindling.records import Example, StageReport
from kindling.stores.memory import MemoryStanding

NOTE = "Photos and their conditions are drawn by this project."
PROVENANCE = Provenance(
    run_id="night-1",
    recipe="demo",
    label_scheme="1-2 negative, 3 neutral, 4-5 positive",
    seed=7,
    niche=("Vases",),
    photo_note=NOTE,
    code_sha256="c" * 64,
    candidate_version="3",
    champion_version="2",
    text_model="MiniLM@53aa",
    torch="2.15",
)
PIPELINE = [
    StageReport("scrape", "night-1", 10, 8, {"empty_text": 2}),
    StageReport(
        "challenge",
        "night-1",
        5,
        4,
        figures={
            "auc": {
                "value": 0.7,
                "n": 9,
                "low": 0.6,
                "high": 0.8,
                "data_sha256": "d" * 64,
            },
            "cues": [
                {
                    "name": "word <b>",
                    "kind": "words",
                    "effect": 0.4,
                    "measure": "TF-IDF",
                    "synthetic": 1,
                    "real": 0,
                }
            ],
            "auc_without": {},
        },
    ),
    StageReport(
        "label",
        "night-1",
        8,
        7,
        figures={
            "bands": {"train": {"negative": {"accept": 3, "review": 1, "discard": 0}}}
        },
        implementation={"voters": "stars"},
    ),
]


def fuse(text: np.ndarray | None, image: np.ndarray | None) -> np.ndarray:
    return softmax(sum(part for part in (text, image) if part is not None), axis=1)


def answers(
    examples: list[Example], champion: bool = True, photos: bool = True
) -> Answers:
    truth, rng = Sample.of(examples).truth, np.random.default_rng(0)
    text, image = (
        rng.normal(size=(len(truth), 3)) + 1.5 * np.eye(3)[truth] for _ in range(2)
    )
    pictured = np.array(
        [row for row, one in enumerate(examples) if one.photo_uri and photos], dtype=int
    )
    said = fuse(text, None)
    if photos:
        said[pictured] = fuse(text[pictured], image[pictured])

    def ask(texts: np.ndarray | None, shown: np.ndarray | None) -> np.ndarray:
        return fuse(
            None if texts is None else text[texts],
            None if shown is None else image[shown],
        )

    other = softmax(rng.normal(size=(len(truth), 3)) + np.eye(3)[truth], axis=1)
    return Answers(
        said,
        other,
        other[:, :] if champion else None,
        pictured,
        ask if photos else None,
    )


RULES = Rules("polarity_macro_f1", bar=0.95, tolerance=0.05, min_photos=100)


def verdict_of(evaluation: Evaluation, champion: str | None = "1") -> Verdict:
    figures = EvaluationFigures.of(evaluation, ("2", champion), {})
    return judge(RULES, Evidence.of(figures, RULES.metric))


def figures_of(evaluation: Evaluation) -> EvaluationFigures:
    """With sealed rows, and everything else that is measured beside the gate's rows."""
    own, over = evaluation.systems["candidate"], evaluation.differences["baseline"]
    return EvaluationFigures.of(
        evaluation,
        ("3", "2"),
        {"text": Latency(40, 9.0, 14.0)},
        Beside(
            robustness={"typos": over["three_way_macro_f1"]},
            photo_robustness={"dark photo": over["three_way_macro_f1"]},
            reference_version="1",
            sealed=SealedFigures(77, 6, own, own, over),
        ),
    )


@pytest.fixture
def evaluation(examples: list[Example]) -> Evaluation:
    return evaluate(examples, ("Vases",), answers(examples), seed=0)


@pytest.fixture
def page(evaluation: Evaluation, examples: list[Example]) -> str:
    marked = [
        replace(one, text=f"<script>alert({row})</script>")
        for row, one in enumerate(examples)
    ]
    ledger = Ledger(MemoryStanding(), "demo")
    ledger.enter(look_of(figures_of(evaluation), RULES.metric, "night-1"))
    return render(
        evaluation,
        verdict_of(evaluation),
        PROVENANCE,
        marked,
        Surroundings(
            figures_of(evaluation),
            PIPELINE,
            [
                Coverage("Vases", "negative", 0, 0, {})
                .with_row(True, "torn")
                .with_row(False, None)
            ],
            looks=ledger.entries(),
        ),
    )


def test_every_figure_has_interval_n_and_hash(evaluation: Evaluation) -> None:
    found = [
        *evaluation.systems.values(),
        *evaluation.classes.values(),
        *evaluation.differences.values(),
    ]
    for estimate in (one for group in found for one in group.values()):
        assert (
            estimate.low <= estimate.high
            and estimate.n > 0
            and len(estimate.data_sha256) == 64
        )
    assert (
        evaluation.systems["candidate"]["three_way_macro_f1"].data_sha256
        == evaluation.data_sha256
    )


def test_every_system_meets_the_same_rows(evaluation: Evaluation) -> None:
    assert set(evaluation.systems) == {
        "candidate",
        "baseline",
        "champion",
        "constant",
        "random",
    }
    assert (
        len({one["accuracy"].data_sha256 for one in evaluation.systems.values()}) == 1
    )
    assert (
        evaluation.systems["candidate"]["accuracy"].value
        > evaluation.systems["constant"]["accuracy"].value
    )
    assert set(evaluation.differences) == {"baseline", "champion", "constant", "random"}


def test_equal_input_equal_evaluation(
    evaluation: Evaluation, examples: list[Example]
) -> None:
    assert evaluate(examples, ("Vases",), answers(examples), seed=0) == evaluation


def test_mistakes_are_mistakes_most_confident_first(
    evaluation: Evaluation, examples: list[Example]
) -> None:
    truth = Sample.of(examples).truth
    assert evaluation.worst and all(
        one.answer != truth[one.row] for one in evaluation.worst
    )
    confidences = [one.confidence for one in evaluation.worst]
    assert confidences == sorted(confidences, reverse=True)


def test_without_champion_and_photos(examples: list[Example]) -> None:
    found = evaluate(
        examples,
        (),
        answers(examples, champion=False, photos=False),
        seed=0,
    )
    assert (
        found.photo is None
        and found.conflict is None
        and "champion" not in found.differences
    )
    assert all(one.over_champion is None and not one.worse for one in found.slices)
    page = render(
        found,
        verdict_of(found, champion=None),
        replace(PROVENANCE, photo_note="", champion_version=None),
        examples,
        Surroundings(EvaluationFigures.of(found, ("3", None), {}), [], []),
    )
    assert "no other champion" in page and "Not measured" in page


def test_a_holdout_without_polar_rows_is_an_error(examples: list[Example]) -> None:
    neutral = [one for one in examples if one.sentiment == "neutral"]
    with pytest.raises(DataError, match="polarity"):
        evaluate(neutral, (), answers(neutral), seed=0)


def test_the_page_loads_nothing(page: str) -> None:
    assert not re.search(r"https?://|url\(|@import|<link|<script|<img|<iframe", page)


def test_outside_text_is_escaped(page: str) -> None:
    assert "&lt;script&gt;alert(" in page and "word &lt;b&gt;" in page


def test_what_is_simulated_is_said_wherever_photos_are(page: str) -> None:
    for heading in ("Does it look at the photo", "Synthetic rows", "golden holdout"):
        assert NOTE in page.split(heading, 1)[1].split("<h2>", 1)[0]
    assert "simulated condition" in page


def test_the_page_names_what_it_is_made_from(page: str, evaluation: Evaluation) -> None:
    for part in (
        "night-1",
        "c" * 64,
        evaluation.data_sha256,
        "demo, 7",
        "empty text",
        "MiniLM@53aa",
        "delete-one-product jackknife",
    ):
        assert part in page
    figure = evaluation.systems["candidate"]["polarity_macro_f1"]
    assert (
        f"{figure.value:.3f}" in page
        and f"n={figure.n}" in page
        and figure.data_sha256[:8] in page
    )


def test_figures_come_back_from_storage_as_they_were(evaluation: Evaluation) -> None:
    figures = EvaluationFigures.of(
        evaluation,
        ("2", "1"),
        {"text": Latency(40, 9.0, 14.0)},
        Beside(
            {"typos": evaluation.systems["candidate"]["accuracy"]},
            {"dark photo": evaluation.systems["candidate"]["accuracy"]},
            "1",
            {"p3"},
            SealedFigures(40, 6, evaluation.systems["candidate"]),
        ),
        leaked_rows=3,
    )
    stored = json.loads(json.dumps(figures.to_dict()))
    assert EvaluationFigures.from_dict(stored) == figures
    assert stored["candidate"]["polarity_macro_f1"]["n"] > 0
    assert set(stored["minus_baseline"]) == {
        "three_way_macro_f1",
        "polarity_macro_f1",
        "log_loss",
    }


def test_figures_of_another_version_are_refused(evaluation: Evaluation) -> None:
    stored = EvaluationFigures.of(evaluation, ("2", None), {}).to_dict()
    with pytest.raises(DataError, match="run evaluate again"):
        EvaluationFigures.from_dict({**stored, "unknown": 1})
    with pytest.raises(DataError, match="temperature_cost"):
        EvaluationFigures.from_dict(
            {name: one for name, one in stored.items() if name != "temperature_cost"}
        )


def test_the_gate_reads_a_whole_evaluation(evaluation: Evaluation) -> None:
    figures = EvaluationFigures.of(evaluation, ("2", "1"), {})
    verdict = verdict_of(evaluation)
    assert len({check.code for check in verdict.checks}) == len(verdict.checks)
    with pytest.raises(KeyError):
        Evidence.of(figures, "no_such_metric")


def test_the_verdict_stands_first_with_what_it_would_take(
    evaluation: Evaluation, page: str
) -> None:
    first = page.split("Beside other predictors")[0]
    verdict = verdict_of(evaluation)
    open_checks = [check for check in verdict.checks if not check.passed]
    assert open_checks, "the fixture's model does not pass everything"
    for check in open_checks:
        assert f"<code>{check.code}</code>" in first
    assert ("Refused by the gate" in first) == (verdict.outcome == "fail")
    assert ("cannot tell" in first) == (
        any(check.verdict == "cannot tell" for check in open_checks)
    )


def test_what_is_printed_first_is_of_rows_that_no_gate_has_read(
    page: str, evaluation: Evaluation, examples: list[Example]
) -> None:
    first = page.split("Beside other predictors")[0]
    assert "77 golden rows of 6 products that no gate has read" in first
    assert "the more they flatter" not in first
    bare = Surroundings(EvaluationFigures.of(evaluation, ("3", "2"), {}), [], [])
    open_page = render(evaluation, verdict_of(evaluation), PROVENANCE, examples, bare)
    assert "the more they flatter" in open_page.split("Beside other predictors")[0]


def test_the_page_shows_the_ledger(page: str) -> None:
    nights = page.split("Other nights at the same rows")[1].split("</section>")[0]
    assert "1 look so far" in nights and "version 1" in nights
    assert "<td><code>night-1</code></td><td>3</td>" in nights
    assert "false alarm with a chance of\n5 %" in nights


def test_the_first_screen_says_what_is_next(
    evaluation: Evaluation, examples: list[Example], page: str
) -> None:
    first = page.split("Beside other predictors")[0]
    assert "What next" in first and "version 2 stays the champion" in first
    good = Verdict(())
    around = Surroundings(figures_of(evaluation), [], [])
    passed = render(evaluation, good, PROVENANCE, examples, around)
    assert "version 3 becomes the champion" in passed


def test_what_is_next_is_what_the_gravest_criterion_would_take(
    evaluation: Evaluation, examples: list[Example]
) -> None:
    checks = (
        Check("bar", "bar", "cannot tell", "is below", "400 golden rows"),
        Check("niche", "niche not worse", "fail", "shown", "a model of the niche"),
    )
    around = Surroundings(figures_of(evaluation), [], [])
    page = render(evaluation, Verdict(checks), PROVENANCE, examples, around)
    assert "the first thing that it would take is a model of the niche." in page


def test_a_criterion_that_was_not_asked_is_not_said_to_pass(
    evaluation: Evaluation, examples: list[Example]
) -> None:
    checks = (
        Check("bar", "bar", "pass", "reaches 0.85"),
        Check.not_asked("latency", "answers in time", "not asked for by the recipe"),
    )
    around = Surroundings(figures_of(evaluation), [], [])
    page = render(evaluation, Verdict(checks), PROVENANCE, examples, around)
    assert "All 1 criteria that were asked pass." in page
    assert "Not asked: <b>answers in time</b>, not asked for by the recipe" in page
