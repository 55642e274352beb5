"""Who may know whom: read from every import statement, those inside functions too."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

INCLUDE = Path(__file__).resolve().parents[2] / "include"
KINDLING = INCLUDE / "kindling"

#: Every module and folder of the package belongs to exactly one class; one that no class
#: names is a red test, not a free room.
CLASSES: dict[str, tuple[str, ...]] = {
    "ground": (
        "addresses",
        "catalog",
        "errors",
        "figures",
        "measure",
        "observe",
        "pictures",
        "ports",
        "records",
    ),
    "configuration": ("extensions", "recipe"),
    "capability": (
        "challenge",
        "coldstart",
        "dedupe",
        "difference",
        "evaluation",
        "forgetting",
        "labelling",
        "modeling",
        "quality",
        "retrieval",
        "scraping",
        "synthesis",
    ),
    "source": ("sources",),
    "adapter": ("llm", "stores"),
    "stage": ("stages",),
    "edge": (
        "__main__",
        "client",
        "commands",
        "look",
        "serving",
        "settings",
        "wiring",
    ),
    "data": ("mappings", "prompts", "recipes"),
}

#: Whom a class may know besides itself. A capability, source or adapter knows its own
#: folder only, not its neighbours'.
MAY_KNOW: dict[str, tuple[str, ...]] = {
    "ground": ("ground",),
    "configuration": ("ground", "configuration"),
    "capability": ("ground",),
    "source": ("ground", "capability"),
    "adapter": ("ground",),
    "stage": ("ground", "configuration", "capability", "source", "stage"),
    "edge": (
        "ground",
        "configuration",
        "capability",
        "source",
        "adapter",
        "stage",
        "edge",
    ),
}

#: Only the composition root and the entry points name adapters.
NAME_ADAPTERS = {"wiring", "__main__", "commands"}

CLASS_OF = {name: kind for kind, names in CLASSES.items() for name in names}


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


def room_of(path: Path, package: Path = KINDLING) -> str:
    """The top-level module or folder of the package that a file belongs to."""
    return path.relative_to(package).parts[0].removesuffix(".py")


def rooms(package: Path = KINDLING) -> set[str]:
    """Everything at the top level of the package that can be imported or read."""
    return {
        path.stem
        for path in package.iterdir()
        if path.name not in {"__init__.py", "__pycache__", "py.typed"}
    }


def offences(package: Path = KINDLING) -> list[str]:
    """Imports within the package that the classes of the two rooms do not allow."""
    found = []
    for path in sorted(package.rglob("*.py")):
        room = room_of(path, package)
        if room == "__init__":
            continue
        kind = CLASS_OF[room]
        for name in imports(path):
            parts = name.split(".")
            if parts[0] != "kindling" or parts[1] == room:
                continue
            known = CLASS_OF.get(parts[1], "unknown")
            if known not in MAY_KNOW[kind]:
                found.append(f"{path.relative_to(package)} imports {name}")
            elif known == "adapter" and room not in NAME_ADAPTERS:
                found.append(f"{path.relative_to(package)} names the adapter {name}")
    return found


def test_every_room_has_one_class() -> None:
    names = [name for kind in CLASSES.values() for name in kind]
    assert len(names) == len(set(names)), "a room belongs to one class"
    assert not rooms() - set(names), "a new room: give it a class in CLASSES"


def test_rooms_know_whom_they_may() -> None:
    assert not offences()


@pytest.mark.parametrize(
    ("planted", "source"),
    [
        ("gossip/client.py", "from kindling.records import Review\n"),
        ("labelling/planted.py", "from kindling.settings import Settings\n"),
        ("labelling/planted.py", "import kindling.modeling.model\n"),
        ("stages/planted.py", "from kindling.stores.memory import MemoryRows\n"),
        ("ports/planted.py", "from kindling.challenge import cues\n"),
        ("serving/planted.py", "def f():\n    from kindling.stores import postgres\n"),
    ],
)
def test_guard_sees_a_planted_module(tmp_path: Path, planted: str, source: str) -> None:
    package = tmp_path / "kindling"
    (package / planted).parent.mkdir(parents=True)
    (package / planted).write_text(source)
    unknown = rooms(package) - set(CLASS_OF)
    assert unknown or offences(package)


def test_product_knows_neither_airflow_nor_kubernetes() -> None:
    banned = {"airflow", "kubernetes", "kindling_airflow", "kindling_local"}
    assert not [
        f"{path} imports {name}"
        for path in modules("kindling")
        for name in imports(path)
        if name.split(".")[0] in banned
    ]


@pytest.mark.parametrize(
    ("package", "allowed"),
    [
        (
            "kindling_airflow",
            ("kindling.catalog", "kindling.figures", "kindling_airflow"),
        ),
        # The supervisor starts Airflow; of what knows Airflow it reads the settings file.
        (
            "kindling_local",
            (
                "kindling.catalog",
                "kindling.figures",
                "kindling_airflow.settings_file",
                "kindling_local",
            ),
        ),
    ],
)
def test_airflows_side_knows_only_the_catalog(
    package: str, allowed: tuple[str, ...]
) -> None:
    assert not [
        f"{path.relative_to(INCLUDE)} imports {name}"
        for path in modules(package)
        for name in imports(path)
        if name.split(".")[0] in {"kindling", "kindling_airflow", "kindling_local"}
        and not any(name == one or name.startswith(one + ".") for one in allowed)
    ]


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
