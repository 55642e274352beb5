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
from kindling.evaluation.figures import EvaluationFigures
from kindling.evaluation.gate import judge
from kindling.evaluation.report import Coverage, Provenance, Surroundings, render
from kindling.evaluation.slices import MIN_ROWS, figures, slices
from kindling.evaluation.verdict import Evidence, Rules, Verdict
from kindling.measure.sample import Sample
from kindling.records import Example, StageReport

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


@pytest.fixture
def evaluation(examples: list[Example]) -> Evaluation:
    return evaluate(examples, ("Vases",), answers(examples), seed=0)


@pytest.fixture
def page(evaluation: Evaluation, examples: list[Example]) -> str:
    marked = [
        replace(one, text=f"<script>alert({row})</script>")
        for row, one in enumerate(examples)
    ]
    return render(
        evaluation,
        verdict_of(evaluation),
        PROVENANCE,
        marked,
        Surroundings(
            {"text": Latency(40, 9.0, 14.0)},
            {"typos": evaluation.differences["baseline"]["three_way_macro_f1"]},
            PIPELINE,
            [
                Coverage("Vases", "negative", 0, 0, {})
                .with_row(True, "torn")
                .with_row(False, None)
            ],
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
        Surroundings({}, {}, [], []),
    )
    assert "no other champion" in page and "Not measured" in page


def test_a_holdout_without_polar_rows_is_an_error(examples: list[Example]) -> None:
    neutral = [one for one in examples if one.sentiment == "neutral"]
    with pytest.raises(DataError, match="polarity"):
        evaluate(neutral, (), answers(neutral), seed=0)


def test_slices_are_large_enough_and_cover_their_groups(
    examples: list[Example],
) -> None:
    found = slices(examples, ["Vases"])
    assert all(MIN_ROWS <= one.rows.sum() < len(examples) for one in found)
    for group in ("niche", "category", "photo", "text length", "stars"):
        assert sum(one.rows.sum() for one in found if one.group == group) == len(
            examples
        )


def test_a_slice_is_worse_only_when_shown(examples: list[Example], predict) -> None:
    sample, parts = Sample.of(examples), slices(examples, ["Vases"])
    champion = predict(sample.truth, 3.0)
    equal = figures(parts, sample, champion, champion, champion)
    assert not any(one.worse for one in equal)
    candidate = champion.copy()
    vases = np.array([one.category == "Vases" for one in examples])
    candidate[vases] = predict(sample.truth, -2.0)[vases]
    worse = {
        one.name
        for one in figures(parts, sample, candidate, champion, champion)
        if one.worse
    }
    assert "Vases" in worse and "Lamps" not in worse


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
        {"typos": evaluation.systems["candidate"]["accuracy"]},
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


def test_a_slice_is_held_against_the_baseline_on_the_first_night(
    examples: list[Example], predict
) -> None:
    sample, parts = Sample.of(examples), slices(examples, ["Vases"])
    baseline = predict(sample.truth, 3.0)
    candidate = baseline.copy()
    vases = np.array([one.category == "Vases" for one in examples])
    candidate[vases] = predict(sample.truth, -2.0)[vases]
    worse = {
        one.name
        for one in figures(parts, sample, candidate, baseline, None)
        if one.worse
    }
    assert "Vases" in worse and "Lamps" not in worse


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
