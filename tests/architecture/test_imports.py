"""Who may know whom: read from every import statement, those inside functions too."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

INCLUDE = Path(__file__).resolve().parents[2] / "include"
CAPABILITIES = (
    "scraping",
    "dedupe",
    "synthesis",
    "challenge",
    "labelling",
    "quality",
    "modeling",
    "evaluation",
    "retrieval",
)
ADAPTERS = {path.stem for path in (INCLUDE / "kindling/stores").glob("*.py")} - {
    "__init__",
    "ports",
}


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def modules(folder: str) -> list[Path]:
    found = sorted((INCLUDE / folder).rglob("*.py"))
    assert found, f"{folder} holds no module"
    return found


def offences(
    paths: list[Path], allowed: tuple[str, ...], within: str = "kindling"
) -> list[str]:
    """Imports of the product by these files that none of the allowed prefixes covers."""
    return [
        f"{path.relative_to(INCLUDE)} imports {name}"
        for path in paths
        for name in imports(path)
        if name.split(".")[0] in {within, "kindling_airflow"}
        and not any(
            name == prefix or name.startswith(prefix + ".") for prefix in allowed
        )
    ]


def test_product_knows_neither_airflow_nor_kubernetes() -> None:
    banned = {"airflow", "kubernetes", "kindling_airflow"}
    assert not [
        f"{p} imports {n}"
        for p in modules("kindling")
        for n in imports(p)
        if n.split(".")[0] in banned
    ]


def test_airflow_side_knows_only_the_catalog() -> None:
    assert not offences(
        modules("kindling_airflow"), ("kindling.catalog", "kindling_airflow")
    )


@pytest.mark.parametrize("capability", CAPABILITIES)
def test_capability_knows_only_records_and_errors(capability: str) -> None:
    allowed = ("kindling.records", "kindling.errors", f"kindling.{capability}")
    assert not offences(modules(f"kindling/{capability}"), allowed)


def test_stages_know_ports_not_adapters() -> None:
    allowed = tuple(
        f"kindling.{name}"
        for name in (
            *CAPABILITIES,
            "records",
            "errors",
            "recipe",
            "catalog",
            "stages",
            "observe",
            "stores.ports",
        )
    )
    assert not offences(modules("kindling/stages"), allowed)


def test_adapters_know_ports_and_one_another_only() -> None:
    paths = [INCLUDE / "kindling/stores" / f"{name}.py" for name in ADAPTERS]
    assert not offences(
        paths, ("kindling.stores", "kindling.records", "kindling.errors")
    )


def test_only_wiring_and_the_entry_point_name_adapters() -> None:
    allowed = {"wiring.py", "__main__.py"}
    named = [
        f"{path.relative_to(INCLUDE)} imports {name}"
        for path in modules("kindling")
        if path.name not in allowed and path.parent.name != "stores"
        for name in imports(path)
        if name.startswith("kindling.stores.") and name.split(".")[2] in ADAPTERS
    ]
    assert not named


def test_only_settings_reads_the_environment() -> None:
    readers = set()
    for path in modules("kindling"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Attribute) and node.attr in {"environ", "getenv"}:
                readers.add(path.relative_to(INCLUDE).as_posix())
    # The entry point sets libraries' own switches before they are imported; it reads nothing.
    assert readers == {"kindling/settings.py", "kindling/__main__.py"}


def test_help_needs_no_extra() -> None:
    program = (
        "import sys, runpy; sys.argv = ['kindling', '--help']\n"
        "try: runpy.run_module('kindling', run_name='__main__')\n"
        "except SystemExit as end: assert not end.code\n"
        "heavy = {'torch', 'transformers', 'sklearn', 'playwright', 'mlflow', 'pandas', 'numpy', 'airflow', 'psycopg'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        cwd=INCLUDE,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert "scrape" in done.stdout


@pytest.mark.parametrize(
    "path", modules("kindling"), ids=lambda p: p.relative_to(INCLUDE).as_posix()
)
def test_no_directory_or_logging_on_import(path: Path) -> None:
    top = [
        node.value
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(node, ast.Expr)
    ]
    called = {
        call.func.attr
        for call in top
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute)
    }
    assert not called & {"basicConfig", "mkdir", "makedirs", "setdefault", "update"}
