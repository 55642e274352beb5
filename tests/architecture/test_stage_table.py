"""The stage table against the stages: what each is handed, and which code decides its result."""

import ast
import importlib
from pathlib import Path

import pytest

from kindling import catalog, wiring
from kindling.stages import view

PACKAGE = Path(catalog.__file__).parent


def kindling_imports(path: Path) -> set[str]:
    """Modules of the package that a file imports, as paths below it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names: list[str] = []
        if isinstance(node, ast.ImportFrom) and node.module:
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        for name in names:
            parts = name.split(".")
            if parts[0] != "kindling":
                continue
            for end in range(len(parts), 1, -1):
                below = "/".join(parts[1:end])
                if (PACKAGE / f"{below}.py").is_file():
                    found.add(f"{below}.py")
                    break
                if (PACKAGE / below / "__init__.py").is_file():
                    found.add(f"{below}/__init__.py")
                    break
    return found


def reached(start: str) -> set[str]:
    """Everything of the package that a module imports, near or far."""
    seen: set[str] = set()
    waiting = {start}
    while waiting:
        one = waiting.pop()
        seen.add(one)
        waiting |= kindling_imports(PACKAGE / one) - seen
    return seen


@pytest.mark.parametrize("name", catalog.STAGE_NAMES)
def test_a_stage_declares_exactly_what_the_table_hands_it(name: str) -> None:
    declared = importlib.import_module(f"kindling.stages.{name}").Needs.__annotations__
    assert set(declared) == set(catalog.stage(name).needs)


@pytest.mark.parametrize("name", catalog.STAGE_NAMES)
def test_identity_covers_all_code_that_a_stage_imports(name: str) -> None:
    covered = (
        *catalog.SHARED_CODE,
        *catalog.stage(name).code,
        f"stages/{name}.py",
        # The recipe's values are in the identity; how they are read is not.
        "recipe.py",
        "catalog.py",
        "stages/__init__.py",
    )
    missed = {
        module
        for module in reached(f"stages/{name}.py")
        if not any(module == one or module.startswith(f"{one}/") for one in covered)
    }
    assert not missed


def test_golden_rows_are_behind_a_door_of_evaluate_alone() -> None:
    doors = {
        door: {one.name for one in catalog.STAGES if door in one.needs}
        for door in ("holdout", "unsplit", "searchable")
    }
    assert doors == {
        "holdout": {"evaluate"},
        "unsplit": {"dedupe"},
        "searchable": {"index"},
    }


def test_only_the_view_and_the_runner_touch_the_row_store() -> None:
    readers = {
        path.name
        for path in (PACKAGE / "stages").glob("*.py")
        if "kindling.ports.rows" in path.read_text(encoding="utf-8")
    }
    assert readers == {"nights.py", "runner.py", Path(view.__file__).name}


def test_wiring_knows_every_need() -> None:
    wanted = {need for stage in catalog.STAGES for need in stage.needs}
    assert wanted <= {*wiring._PORTS, *wiring._DOORS, *wiring._METERED}


def test_edges_are_enough_and_no_more() -> None:
    edges = set(catalog.edges())
    assert ("label", "index") in edges
    assert ("promote", "index") not in edges
    assert ("scrape", "synthesize") not in edges, "implied by dedupe"


def test_every_stage_stands_on_earlier_ones() -> None:
    for place, stage in enumerate(catalog.STAGES):
        assert set(stage.after) <= set(catalog.STAGE_NAMES[:place])
