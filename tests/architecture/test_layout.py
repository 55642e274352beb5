"""The shape of the house: top level, sizes, names, the lock."""

import ast
import re
import subprocess
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TOP_LEVEL = {
    "dags",
    "plugins",
    "include",
    "containers",
    "sql",
    "tests",
    "airflow_settings.yaml",
    "docker-compose.yaml",
    "requirements.txt",
    "README.md",
    "LICENSE",
    "Makefile",
}
VAGUE = {"utils", "util", "helpers", "common", "manager", "base", "misc"}


def tracked() -> list[Path]:
    listing = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return [
        path for line in listing.stdout.splitlines() if (path := ROOT / line).is_file()
    ]


PYTHON = [path for path in tracked() if path.suffix == ".py"]


def test_top_level() -> None:
    present = {path.relative_to(ROOT).parts[0] for path in tracked()}
    visible = {name for name in present if not name.startswith(".")}
    assert visible == TOP_LEVEL


def test_files_hold_one_thing() -> None:
    assert PYTHON
    long = {
        path.relative_to(ROOT).as_posix(): lines
        for path in PYTHON
        if (lines := len(path.read_text(encoding="utf-8").splitlines())) > 400
    }
    assert not long


def test_functions_are_short() -> None:
    long = [
        f"{path.relative_to(ROOT)}:{node.lineno} {node.name} ({node.end_lineno - node.lineno + 1} lines)"
        for path in PYTHON
        if "tests" not in path.parts
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.end_lineno - node.lineno + 1 > 60
    ]
    assert not long


def test_names_say_something() -> None:
    assert not [path for path in PYTHON if path.stem in VAGUE]


def test_every_module_says_why() -> None:
    silent = [
        path.relative_to(ROOT)
        for path in PYTHON
        if path.name != "__init__.py"
        and not ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
    ]
    assert not silent


@pytest.mark.parametrize(
    "pattern",
    [
        r"(^|[^A-Za-z0-9_.])/(work|farm)/",  # paths of the machine it was written on
        r"except Exception: *pass",
        r"except: *$",
        r"\beval\(",
    ],
)
def test_nowhere(pattern: str) -> None:
    here = Path(__file__).resolve()
    found = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in tracked()
        if path != here and path.suffix in {".py", ".md", ".yaml", ".sql", ".html", ""}
        for number, line in enumerate(
            path.read_text(encoding="utf-8", errors="replace").splitlines(), 1
        )
        if re.search(pattern, line)
    ]
    assert not found


def test_except_exception_only_at_entry_points() -> None:
    catchers = {
        path.relative_to(ROOT).as_posix()
        for path in PYTHON
        if "tests" not in path.parts
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ExceptHandler)
        and (
            node.type is None
            or isinstance(node.type, ast.Name)
            and node.type.id == "Exception"
        )
    }
    assert not {name for name in catchers if not name.endswith("__main__.py")}


def test_lock_pins_every_package_of_every_extra() -> None:
    project = tomllib.loads((ROOT / "include/pyproject.toml").read_text())["project"]
    wanted = [
        *project["dependencies"],
        *(one for extra in project["optional-dependencies"].values() for one in extra),
    ]
    locked = dict(
        re.findall(
            r"^([a-z0-9][a-z0-9._-]*)(?:\[[a-z0-9,-]+\])?==(\S+)$",
            (ROOT / "requirements.txt").read_text(),
            re.MULTILINE,
        )
    )
    names = {
        re.split(r"[\[=<>~! ]", one)[0].lower().replace("_", "-") for one in wanted
    }
    assert names <= set(locked), names - set(locked)
    assert locked["apache-airflow"] == "3.3.2"
    # torch's own pins stay torch's, so that the lock also takes the CPU build.
    assert not [name for name in locked if name.startswith("nvidia-")]
