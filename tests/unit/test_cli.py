"""The command line is a contract with Airflow: flags and exit codes are frozen here."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from kindling.__main__ import main, parser
from kindling.catalog import STAGE_NAMES


def test_stages_and_their_order() -> None:
    assert STAGE_NAMES == (
        "scrape",
        "dedupe",
        "synthesize",
        "challenge",
        "label",
        "train",
        "evaluate",
        "promote",
        "index",
    )


@pytest.mark.parametrize("stage", STAGE_NAMES)
def test_every_stage_takes_the_same_flags(stage: str) -> None:
    arguments = parser().parse_args([stage, "--run", "r", "--recipe", "smoke"])
    flags = {name for name in vars(arguments) if name not in {"command", "act"}}
    assert flags == {"run", "recipe", "niche", "target_size", "conf", "shard"}


def test_unknown_stage_names_the_known(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["scrap", "--run", "r", "--recipe", "smoke"])
    assert ended.value.code == 2
    assert "'scrape'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (
            ["--conf", json.dumps({"recipe": "smoke", "nich": "x"})],
            "unknown parameter nich; allowed: recipe, niche, target_size",
        ),
        (["--conf", "{"], "--conf is not JSON"),
        (["--target-size", "-3"], "target size '-3'"),
        (["--recipe", "nope"], "unknown recipe 'nope'"),
    ],
)
def test_bad_arguments_are_final_and_named(
    flags: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["scrape", "--run", "r", "--recipe", "smoke", *flags]) == 2
    assert message in capsys.readouterr().err


def test_missing_database_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("KINDLING_DATABASE_URL", raising=False)
    assert main(["scrape", "--run", "r", "--recipe", "smoke"]) == 2
    assert "KINDLING_DATABASE_URL is not set" in capsys.readouterr().err


def test_the_first_process_of_a_container_ends_when_it_is_told(
    repository: Path,
) -> None:
    program = (
        "import time; from kindling.__main__ import end_when_told; end_when_told(); "
        "print('ready', flush=True); time.sleep(60)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program],
        env={"PYTHONPATH": str(repository / "include"), "PATH": os.environ["PATH"]},
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None and process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGTERM)
        # By its own handler, not by the default action, which such a process does not have.
        assert process.wait(10) == 128 + signal.SIGTERM
