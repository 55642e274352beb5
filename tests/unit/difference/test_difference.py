"""What changed between two nights is counted by keys and contents, and figures keep their intervals."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from kindling.difference.nights import Night, difference
from kindling.difference.showing import lines
from kindling.records import (
    ChallengeVerdict,
    DedupeDecision,
    Estimate,
    Review,
    StageReport,
)


def review(review_id: str, body: str = "text", origin: str = "scraped") -> Review:
    return Review(review_id, "p", "c", "", body, 5, origin)  # type: ignore[arg-type]


def decision(review_id: str, split: str) -> DedupeDecision:
    return DedupeDecision(review_id, review_id, True, "unique", 1.0, split)  # type: ignore[arg-type]


def night(run_id: str, reviews: list[Review], **fields: object) -> Night:
    empty = {"products": (), "decisions": (), "verdicts": (), "labels": (), "reports": {}}  # fmt: skip
    return Night(run_id, reviews=reviews, **{**empty, **fields})  # type: ignore[arg-type]


def gate(run_id: str, code: str, verdict: str) -> StageReport:
    checks = [
        {"code": code, "name": code, "verdict": verdict, "detail": "", "needed": ""},
        {"code": "fine", "name": "fine", "verdict": "pass", "detail": "", "needed": ""},
    ]
    figures = {"verdict": verdict, "checks": checks, "champion_version": "3"}
    return StageReport("promote", run_id, 1, 1, figures=figures)


def test_rows_are_new_changed_or_gone() -> None:
    before = night("a", [review("r1"), review("r2"), review("r3")])
    after = night("b", [review("r1"), review("r2", "another"), review("r4")])
    found = difference(before, after).rows["reviews"]
    assert (found.new, found.changed, found.gone) == (("r4",), ("r2",), ("r3",))
    assert found.counts == {"before": 3, "after": 3, "new": 1, "changed": 1, "gone": 1}


def test_where_a_review_was_found_is_no_change_of_it() -> None:
    one = review("r1")
    moved = replace(one, source_url="https://elsewhere.example", page_sha256="x")
    assert (
        not difference(night("a", [one]), night("b", [moved])).rows["reviews"].changed
    )


def test_splits_and_synthetic_rows_are_counted() -> None:
    before = night("a", [review("r1")], decisions=[decision("r1", "train")])
    after = night(
        "b",
        [review("r1"), review("s1", origin="synthetic")],
        decisions=[decision("r1", "golden")],
        verdicts=[
            ChallengeVerdict("s1", 0.5, True, ""),
            ChallengeVerdict("s2", 0.5, False, "copy"),
        ],
    )
    found = difference(before, after)
    assert found.moved == (("r1", "train", "golden"),)
    assert found.splits == {"golden": (0, 1), "train": (1, 0)}
    assert found.admitted == (0, 1)
    assert found.rows["synthetic"].new == ("s1",)


def test_figures_keep_intervals_and_the_gate_its_codes() -> None:
    figure = Estimate(0.8, 100, 0.7, 0.9, "d" * 64)
    figures = {"candidate": {"macro_f1": replace(figure).__dict__}, "rows": 9}
    evaluated = StageReport("evaluate", "b", 1, 1, figures=figures)
    before = night("a", [], reports={"promote": gate("a", "too-few", "cannot tell")})
    after = night(
        "b", [], reports={"promote": gate("b", "worse", "fail"), "evaluate": evaluated}
    )
    found = difference(before, after)
    [pair] = found.figures
    assert pair.name == "evaluate.candidate.macro_f1" and pair.before is None
    assert found.verdicts.before["codes"] == ["too-few"]
    assert found.stages == {"evaluate": "only in b"}
    text = "\n".join(lines(found))
    assert "0.800 [0.700, 0.900] n=100" in text
    assert "gate after: fail, codes worse; champion 3" in text


names = st.dictionaries(st.sampled_from("abcdef"), st.sampled_from("xy"))


@given(names, names)
def test_new_and_gone_change_places_when_the_nights_do(
    first: dict[str, str], second: dict[str, str]
) -> None:
    a, b = (
        night("n", [review(key, body) for key, body in one.items()])
        for one in (first, second)
    )
    there, back = difference(a, b).rows["reviews"], difference(b, a).rows["reviews"]
    assert there.new == back.gone and there.gone == back.new
    assert there.changed == back.changed
    assert there.before + len(there.new) - len(there.gone) == there.after
