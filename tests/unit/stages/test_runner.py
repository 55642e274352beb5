"""The runner: order, no-op, redo on changed inputs, nothing half-written."""

import dataclasses
import shutil
import sys
import types
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from kindling import catalog
from kindling import recipe as recipes
from kindling.errors import ConfigurationError, DataError
from kindling.observe import lineage
from kindling.records import Page, Product, Rejection
from kindling.stages.contract import Context, Outcome, Shard
from kindling.stages.runner import run_stage
from kindling.stores.memory import MemoryRows

CONTEXT = Context("r", recipes.load("smoke"), ("Teapots",), 20, 7)


@pytest.fixture
def rows() -> MemoryRows:
    return MemoryRows()


def hand(context: Context, names: Iterable[str]) -> SimpleNamespace:
    return SimpleNamespace(names=tuple(names))


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    made: list[str] = []

    def stage(name: str) -> types.ModuleType:
        module = types.ModuleType(f"kindling.stages.{name}")

        def run(config: object, context: Context, needs: SimpleNamespace) -> Outcome:
            made.append(name)
            assert needs.names == catalog.stage(name).needs
            product = Product(f"p{len(made)}", "Pot", "Teapots", "u")
            return Outcome(
                3,
                1,
                [product],
                [Rejection("a", "why"), Rejection("a", "why"), Rejection("a", "also")],
            )

        module.run = run  # type: ignore[attr-defined]
        return module

    for name in ("scrape", "dedupe", "synthesize"):
        monkeypatch.setitem(sys.modules, f"kindling.stages.{name}", stage(name))
    yield made


def test_a_second_run_with_the_same_inputs_is_a_no_op(
    rows: MemoryRows, calls: list[str]
) -> None:
    first = run_stage("scrape", CONTEXT, rows, hand)
    second = run_stage("scrape", CONTEXT, rows, hand)
    assert calls == ["scrape"]
    assert second == dataclasses.replace(first, unchanged=True)
    assert first.rejected == {"also": 1, "why": 1}


def test_changed_inputs_replace_the_rows_and_those_downstream_follow(
    rows: MemoryRows, calls: list[str]
) -> None:
    run_stage("scrape", CONTEXT, rows, hand)
    run_stage("dedupe", CONTEXT, rows, hand)
    run_stage("scrape", dataclasses.replace(CONTEXT, target_size=21), rows, hand)
    run_stage("dedupe", dataclasses.replace(CONTEXT, target_size=21), rows, hand)
    assert calls == ["scrape", "dedupe", "scrape", "dedupe"]
    assert len(rows.read(Product, "r")) == 2


def test_another_language_model_makes_the_stage_that_asks_it_run_again(
    rows: MemoryRows, calls: list[str]
) -> None:
    for name in ("scrape", "dedupe", "synthesize"):
        run_stage(name, CONTEXT, rows, hand)
    named = dataclasses.replace(CONTEXT, llm="small http://one/v1")
    for context in (
        named,
        named,
        dataclasses.replace(CONTEXT, llm="large http://one/v1"),
    ):
        for name in ("dedupe", "synthesize"):
            run_stage(name, context, rows, hand)
    assert calls == ["scrape", "dedupe", *["synthesize"] * 3]


def test_a_stage_out_of_order_is_refused(rows: MemoryRows, calls: list[str]) -> None:
    with pytest.raises(
        DataError, match="dedupe needs scrape, which has not been committed"
    ):
        run_stage("dedupe", CONTEXT, rows, hand)
    assert not calls


def test_a_failing_stage_commits_nothing(
    rows: MemoryRows, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = types.ModuleType("kindling.stages.scrape")

    def run(config: object, context: Context, needs: SimpleNamespace) -> Outcome:
        raise DataError("the shop is empty")

    module.run = run  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "kindling.stages.scrape", module)
    with pytest.raises(DataError, match="the shop is empty"):
        run_stage("scrape", CONTEXT, rows, hand)
    assert rows.report("r", "scrape") is None
    assert rows.read(Page, "r") == []


def halves() -> list[Context]:
    return [dataclasses.replace(CONTEXT, shard=Shard(index, 2)) for index in (0, 1)]


def test_a_stage_waits_for_every_shard_of_what_it_stands_on(
    rows: MemoryRows, calls: list[str]
) -> None:
    first, second = halves()
    run_stage("scrape", second, rows, hand)
    with pytest.raises(DataError, match=r"all 2 shards of scrape; not committed: 0"):
        run_stage("dedupe", CONTEXT, rows, hand)
    run_stage("scrape", first, rows, hand)
    run_stage("dedupe", CONTEXT, rows, hand)
    assert calls == ["scrape", "scrape", "dedupe"]
    assert len(rows.read(Product, "r")) == 3


def test_a_shard_again_changes_nothing_of_the_other(
    rows: MemoryRows, calls: list[str]
) -> None:
    first, second = halves()
    for context in (first, second, first):
        run_stage("scrape", context, rows, hand)
    assert calls == ["scrape", "scrape"]


def test_a_stage_that_is_whole_by_nature_refuses_shards(
    rows: MemoryRows, calls: list[str]
) -> None:
    run_stage("scrape", CONTEXT, rows, hand)
    with pytest.raises(ConfigurationError, match="dedupe cannot be split"):
        run_stage("dedupe", halves()[0], rows, hand)


def night(number: int, **changes: object) -> Context:
    return dataclasses.replace(CONTEXT, run_id=f"n{number}", **changes)  # type: ignore[arg-type]


@pytest.fixture
def two_nights(rows: MemoryRows) -> MemoryRows:
    for number in range(3):
        rows.begin_run(f"n{number}", "smoke", {})
    return rows


class Calls(list[str]):
    """Runs that a stage worked for, and the name of the product that it brings."""

    name: list[str]


@pytest.fixture
def steady(monkeypatch: pytest.MonkeyPatch) -> Iterator[Calls]:
    """Stages that bring one product, whose name a test may change."""
    made, name = Calls(), ["Pot"]

    def run(config: object, context: Context, needs: SimpleNamespace) -> Outcome:
        made.append(context.run_id)
        return Outcome(1, 1, [Product("p", name[0], "Teapots", "u")])

    for stage in ("scrape", "dedupe"):
        module = types.ModuleType(f"kindling.stages.{stage}")
        module.run = run  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, f"kindling.stages.{stage}", module)
    made.name = name
    yield made


def test_a_night_without_a_new_row_stands_on_the_night_before(
    two_nights: MemoryRows, steady: Calls
) -> None:
    for number in range(3):
        run_stage("scrape", night(number), two_nights, hand)
        report = run_stage("dedupe", night(number), two_nights, hand)
    assert steady == ["n0", "n0", "n1", "n2"], "scrape looks every night"
    assert (report.run_id, report.same_as) == ("n2", "n0")
    assert two_nights.read(Product, "n2") == two_nights.read(Product, "n0")


def test_a_changed_row_or_setting_is_worked_on(
    two_nights: MemoryRows, steady: Calls
) -> None:
    run_stage("scrape", night(0), two_nights, hand)
    run_stage("dedupe", night(0), two_nights, hand)
    steady.name[0] = "Kettle"
    run_stage("scrape", night(1), two_nights, hand)
    assert run_stage("dedupe", night(1), two_nights, hand).same_as == ""
    run_stage("scrape", night(2, seed=8), two_nights, hand)
    assert run_stage("dedupe", night(2, seed=8), two_nights, hand).same_as == ""


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A copy of the package whose files may be changed."""
    copy = tmp_path / "kindling"
    shutil.copytree(Path(lineage.__file__).parents[1], copy)
    monkeypatch.setattr(lineage.resources, "files", lambda name: copy)
    lineage.stage_code_sha256.cache_clear()
    yield copy
    lineage.stage_code_sha256.cache_clear()


def identities() -> dict[str, str]:
    lineage.stage_code_sha256.cache_clear()
    return {name: lineage.stage_code_sha256(name) for name in catalog.STAGE_NAMES}


@pytest.mark.parametrize(
    ("changed", "stages"),
    [
        ("serving/api.py", set()),
        ("settings.py", set()),
        ("stages/label.py", {"label"}),
        ("dedupe/split.py", {"dedupe"}),
        ("records.py", set(catalog.STAGE_NAMES)),
    ],
)
def test_a_comment_changes_the_identity_of_the_stages_that_use_the_code(
    package: Path, changed: str, stages: set[str]
) -> None:
    before = identities()
    with (package / changed).open("a") as file:
        file.write("# a comment\n")
    after = identities()
    assert {name for name in before if before[name] != after[name]} == stages
