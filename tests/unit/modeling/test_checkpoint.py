"""A checkpoint is whole or absent, and runs no code."""

import errno
import io
from pathlib import Path

import pytest
import torch

from kindling.errors import DataError, KindlingError
from kindling.modeling.checkpoint import Checkpoint
from kindling.modeling.folder import disk_full_named
from kindling.stores.objects import FsspecObjects

NAME = "runs/r/checkpoints/one/text.pt"


@pytest.fixture
def objects(tmp_path) -> FsspecObjects:
    return FsspecObjects(tmp_path.as_uri())


def test_round_trip_and_absence(objects: FsspecObjects, tmp_path) -> None:
    checkpoint = Checkpoint(objects, NAME)
    assert checkpoint.load() is None
    checkpoint.save({"weights": {"w": torch.arange(3)}, "losses": [1.0]})
    checkpoint.save({"weights": {"w": torch.arange(4)}, "losses": [1.0, 0.5]})
    assert Checkpoint(objects, NAME).load()["losses"] == [1.0, 0.5]
    files = [path.name for path in tmp_path.rglob("*") if path.is_file()]
    assert files == ["text.pt"]


def test_a_kill_while_saving_leaves_the_one_before(
    objects: FsspecObjects, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkpoint = Checkpoint(objects, NAME)
    checkpoint.save({"losses": [1.0]})

    def killed(self, data: bytes) -> int:
        with self.open("wb") as file:
            file.write(data[:4])
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "write_bytes", killed)
    with pytest.raises(KeyboardInterrupt):
        checkpoint.save({"losses": [1.0, 0.5]})
    assert checkpoint.load() == {"losses": [1.0]}


def test_a_damaged_checkpoint_is_named(objects: FsspecObjects) -> None:
    objects.put_named(NAME, b"not a checkpoint")
    with pytest.raises(DataError, match=r"text\.pt is damaged"):
        Checkpoint(objects, NAME).load()


def test_code_in_a_checkpoint_does_not_run(objects: FsspecObjects) -> None:
    class Evil:
        def __reduce__(self):
            return print, ("ran",)

    buffer = io.BytesIO()
    torch.save({"losses": Evil()}, buffer)
    objects.put_named(NAME, buffer.getvalue())
    with pytest.raises(DataError, match="damaged"):
        Checkpoint(objects, NAME).load()


def test_disk_full_says_where(tmp_path) -> None:
    with (
        pytest.raises(KindlingError, match=f"disk full while writing {tmp_path}"),
        disk_full_named(tmp_path / "new" / "x"),
    ):
        raise OSError(errno.ENOSPC, "No space left on device")


def test_other_errors_pass_through(tmp_path) -> None:
    with pytest.raises(PermissionError), disk_full_named(tmp_path):
        raise PermissionError("no")
