"""The commands say what is missing before they open a store, and `diff` reads the nights from the record."""

import json

import pytest

from kindling.__main__ import main
from kindling.commands.nights import night
from kindling.errors import DataError
from kindling.records import Review, StageReport
from kindling.stores.memory import MemoryRows


def test_forgetting_nothing_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["forget"]) == 2
    said = capsys.readouterr().err
    assert "--source" in said and "--opted-out" in said


@pytest.mark.parametrize(
    "command", [["forget", "r1"], ["seen", "r1"], ["diff", "a", "b"]], ids=" ".join
)
def test_a_missing_setting_is_named(
    command: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name in ("KINDLING_DATABASE_URL", "KINDLING_MLFLOW_URL"):
        monkeypatch.delenv(name, raising=False)
    assert main(command) == 2
    assert "KINDLING_" in capsys.readouterr().err


def test_a_night_is_read_with_the_reports_of_its_stages() -> None:
    rows = MemoryRows()
    one = Review("r1", "p1", "c", "", "text", 1, "scraped")
    rows.commit(StageReport("scrape", "a", 1, 1), [one], [])
    found = night(rows, "a")
    assert list(found.reviews) == [one] and set(found.reports) == {"scrape"}
    json.dumps(found.reports["scrape"].to_dict())


def test_an_unknown_night_is_named() -> None:
    with pytest.raises(DataError, match="'nowhere'"):
        night(MemoryRows(), "nowhere")
