"""The runner: order, no-op, redo on changed inputs, nothing half-written."""

import dataclasses
import sys
import types
from collections.abc import Iterator

import pytest

from kindling import recipe as recipes
from kindling.errors import DataError
from kindling.records import Page, Product, Rejection
from kindling.stages.contract import Context, Deps, Outcome
from kindling.stages.runner import run_stage
from kindling.stores.memory import MemoryRows

CONTEXT = Context("r", recipes.load("smoke"), ("Teapots",), 20, 7)


@pytest.fixture
def deps() -> Deps:
    fields = {field.name: None for field in dataclasses.fields(Deps)}
    return Deps(**{**fields, "rows": MemoryRows(), "threads": 1, "shop_url": ""})


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    made: list[str] = []

    def stage(name: str) -> types.ModuleType:
        module = types.ModuleType(f"kindling.stages.{name}")

        def run(config: object, context: Context, deps: Deps) -> Outcome:
            made.append(name)
            product = Product(f"p{len(made)}", "Pot", "Teapots", "u")
            return Outcome(
                3,
                1,
                [product],
                [Rejection("a", "why"), Rejection("a", "why"), Rejection("a", "also")],
            )

        module.run = run  # type: ignore[attr-defined]
        return module

    for name in ("scrape", "dedupe"):
        monkeypatch.setitem(sys.modules, f"kindling.stages.{name}", stage(name))
    yield made


def test_a_second_run_with_the_same_inputs_is_a_no_op(
    deps: Deps, calls: list[str]
) -> None:
    first = run_stage("scrape", CONTEXT, deps)
    second = run_stage("scrape", CONTEXT, deps)
    assert calls == ["scrape"]
    assert second == dataclasses.replace(first, unchanged=True)
    assert first.rejected == {"also": 1, "why": 1}


def test_changed_inputs_replace_the_rows_and_those_downstream_follow(
    deps: Deps, calls: list[str]
) -> None:
    run_stage("scrape", CONTEXT, deps)
    run_stage("dedupe", CONTEXT, deps)
    run_stage("scrape", dataclasses.replace(CONTEXT, target_size=21), deps)
    run_stage("dedupe", dataclasses.replace(CONTEXT, target_size=21), deps)
    assert calls == ["scrape", "dedupe", "scrape", "dedupe"]
    assert len(deps.rows.read(Product, "r")) == 2


def test_a_stage_out_of_order_is_refused(deps: Deps, calls: list[str]) -> None:
    with pytest.raises(
        DataError, match="dedupe needs scrape, which has not been committed"
    ):
        run_stage("dedupe", CONTEXT, deps)
    assert not calls


def test_a_failing_stage_commits_nothing(
    deps: Deps, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = types.ModuleType("kindling.stages.scrape")

    def run(config: object, context: Context, deps: Deps) -> Outcome:
        raise DataError("the shop is empty")

    module.run = run  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "kindling.stages.scrape", module)
    with pytest.raises(DataError, match="the shop is empty"):
        run_stage("scrape", CONTEXT, deps)
    assert deps.rows.report("r", "scrape") is None
    assert deps.rows.read(Page, "r") == []
