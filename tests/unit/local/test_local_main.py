"""What the entry point makes of errors: one line, an exit code, no traceback."""

import errno
from collections.abc import Callable

import pytest

from kindling_local import __main__ as entry
from kindling_local.errors import Interrupted, SupervisorError


def raising(error: BaseException) -> Callable[..., int]:
    def command(*_: object) -> int:
        raise error

    return command


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (SupervisorError("port 8080 is taken"), 1, "make up: port 8080 is taken"),
        (SupervisorError("unknown recipe", exit_code=2), 2, "make up: unknown recipe"),
        (
            OSError(errno.ENOSPC, "No space left on device", "/v/state.json"),
            1,
            "the disk is full (/v/state.json)",
        ),
        (KeyboardInterrupt(), 130, "make up: interrupted"),
        (Interrupted(), 130, "make up: interrupted"),
    ],
)
def test_error_is_a_line_and_an_exit_code(
    error: BaseException,
    code: int,
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(entry.commands, "up", raising(error))
    assert entry.main(["up"]) == code
    assert said in capsys.readouterr().err


def test_other_faults_of_the_machine_keep_their_traceback(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(
        entry.commands, "up", raising(OSError(errno.EIO, "Input/output error"))
    )
    with pytest.raises(OSError, match="Input/output"):
        entry.main(["up"])


@pytest.mark.parametrize(
    "arguments", [["run", "--target-size", "-1"], ["run", "--speed"], [], ["sideways"]]
)
def test_unknown_arguments(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        entry.main(arguments)
    assert ended.value.code == 2


def test_options_reach_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[object] = []
    monkeypatch.setenv("KINDLING_DATA", "/from/environment")
    monkeypatch.setattr(
        entry.commands, "run", lambda console, layout, wanted: seen.append(wanted) or 0
    )
    assert (
        entry.main(
            [
                "run",
                "--recipe",
                "clothing",
                "--niche",
                "Shorts,Skirts",
                "--target-size",
                "40",
            ]
        )
        == 0
    )
    assert entry.main(["run", "--data", "/given"]) == 0
    first, second = seen
    assert first.conf("clothing") == {
        "recipe": "clothing",
        "niche": "Shorts,Skirts",
        "target_size": 40,
    }  # type: ignore[attr-defined]
    assert (first.data, second.data) == ("/from/environment", "/given")  # type: ignore[attr-defined]
    assert second.conf("demo") == {"recipe": "demo"}, (
        "what is not given is the recipe's"
    )  # type: ignore[attr-defined]
