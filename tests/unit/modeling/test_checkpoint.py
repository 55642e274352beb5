"""A checkpoint is whole or absent, and runs no code."""

import errno

import pytest
import torch

from kindling.errors import DataError, KindlingError
from kindling.modeling.checkpoint import Checkpoint, disk_full_named


def test_round_trip_and_absence(tmp_path) -> None:
    checkpoint = Checkpoint(tmp_path / "deep" / "a.pt")
    assert checkpoint.load() is None
    checkpoint.save({"weights": {"w": torch.arange(3)}, "losses": [1.0]})
    checkpoint.save({"weights": {"w": torch.arange(4)}, "losses": [1.0, 0.5]})
    assert checkpoint.load()["losses"] == [1.0, 0.5]
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["a.pt"]


def test_a_kill_while_saving_leaves_the_one_before(
    tmp_path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkpoint = Checkpoint(tmp_path / "a.pt")
    checkpoint.save({"losses": [1.0]})

    def killed(state: object, file) -> None:
        file.write(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(torch, "save", killed)
    with pytest.raises(KeyboardInterrupt):
        checkpoint.save({"losses": [1.0, 0.5]})
    assert checkpoint.load() == {"losses": [1.0]}


def test_a_damaged_checkpoint_is_named(tmp_path) -> None:
    (tmp_path / "a.pt").write_bytes(b"not a checkpoint")
    with pytest.raises(DataError, match=r"a\.pt is damaged"):
        Checkpoint(tmp_path / "a.pt").load()


def test_code_in_a_checkpoint_does_not_run(tmp_path) -> None:
    class Evil:
        def __reduce__(self):
            return print, ("ran",)

    torch.save({"losses": Evil()}, tmp_path / "a.pt")
    with pytest.raises(DataError, match="damaged"):
        Checkpoint(tmp_path / "a.pt").load()


def test_disk_full_says_where(tmp_path) -> None:
    with (
        pytest.raises(KindlingError, match=f"disk full while writing {tmp_path}"),
        disk_full_named(tmp_path / "new" / "x"),
    ):
        raise OSError(errno.ENOSPC, "No space left on device")


def test_other_errors_pass_through(tmp_path) -> None:
    with pytest.raises(PermissionError), disk_full_named(tmp_path):
        raise PermissionError("no")
