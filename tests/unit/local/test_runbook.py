"""What the runbook names exists: commands, files, settings, and the words that it tells people to look for."""

import re
from pathlib import Path

import pytest


@pytest.fixture
def runbook(repository: Path) -> str:
    return (repository / "include/docs/runbook.md").read_text(encoding="utf-8")


@pytest.fixture
def sources(repository: Path) -> str:
    files = [
        *repository.glob("include/kindling*/**/*.py"),
        *repository.glob("containers/**/*"),
        repository / "docker-compose.yaml",
        repository / ".env.example",
    ]
    return "\n".join(
        one.read_text(encoding="utf-8", errors="replace")
        for one in files
        if one.is_file()
    )


def test_every_make_target_exists(runbook: str, repository: Path) -> None:
    makefile = (repository / "Makefile").read_text(encoding="utf-8")
    named = set(re.findall(r"`(?:[A-Z_]+=\S+ )*make ([a-z-]+)", runbook))
    assert named >= {"up", "down", "status", "clean"}
    assert all(re.search(rf"^{one}:", makefile, re.MULTILINE) for one in named)


def test_every_file_that_commands_name_exists(runbook: str, repository: Path) -> None:
    named = set(re.findall(r"(?:-f|sh) (containers/\S+)", runbook))
    assert len(named) >= 6
    assert all((repository / one.rstrip("`")).is_file() for one in named)


def test_every_setting_exists(runbook: str, sources: str) -> None:
    named = set(re.findall(r"\b(?:KINDLING|AIRFLOW_)_[A-Z_]+[A-Z]\b", runbook))
    assert "KINDLING_START_SECONDS" in named
    # Ports are named by their service; settings.py leaves the prefix out.
    unknown = [
        one
        for one in sorted(named)
        if one not in sources and f'"{one.removeprefix("KINDLING_")}"' not in sources
    ]
    assert unknown == []


@pytest.mark.parametrize(
    "words",
    [
        "waits for a node",
        "no node took pod",
        "did not end by itself",
        "lost sight of its pod",
        "is being deleted and",
        "run sh containers/compose/make-env",
        "browser_needed",
        "nothing to forget: no review of the record fits",
        "texts are too short or are also written by",
        "source_alarm",
        "rules_in_quarantine",
    ],
)
def test_what_people_are_told_to_look_for_is_really_said(
    words: str, runbook: str, sources: str
) -> None:
    assert words in runbook and words in sources


def test_every_code_of_the_gate_is_explained(runbook: str, sources: str) -> None:
    table = runbook.split("| the gate's code |")[1].split("\n\n")[0]
    explained = set(re.findall(r"^\| `([a-z-]+)` \|", table, re.MULTILINE))
    given = r'(?:code, name = |Check\(\s*)"([a-z][a-z-]+)"'
    assert explained == set(re.findall(given, sources))
