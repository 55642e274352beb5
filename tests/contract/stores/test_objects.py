"""ObjectStore: a folder, S3, and memory keep the same promises."""

import uuid
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
from moto.server import ThreadedMotoServer

from kindling.errors import DataError
from kindling.ports.objects import ObjectStore
from kindling.stores.memory import MemoryObjects
from kindling.stores.objects import FsspecObjects


@pytest.fixture(scope="module")
def s3_endpoint() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture(params=["file", "s3", "memory"])
def objects(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> ObjectStore:
    if request.param == "memory":
        return MemoryObjects()
    if request.param == "file":
        return FsspecObjects(f"file://{tmp_path}/objects")
    endpoint = request.getfixturevalue("s3_endpoint")
    for name, value in {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)
    bucket = f"bucket-{uuid.uuid4().hex[:8]}"
    boto3.client("s3").create_bucket(Bucket=bucket)
    return FsspecObjects(f"s3://{bucket}/kindling")


def test_content_names_the_object(objects: ObjectStore) -> None:
    uri = objects.put(b"\x00photo", ".jpg")
    assert objects.put(b"\x00photo", ".jpg") == uri
    assert objects.put(b"other", ".jpg") != uri
    assert objects.get(uri) == b"\x00photo"


def test_names_are_replaced(objects: ObjectStore) -> None:
    uri = objects.put_named("runs/r/report.html", b"one")
    assert objects.put_named("runs/r/report.html", b"two") == uri
    assert objects.get(uri) == b"two"


def test_a_name_is_found_until_it_is_removed(objects: ObjectStore) -> None:
    for name in ("runs/r/work/a.pt", "runs/r/work/b.pt", "runs/r/work2/a.pt"):
        assert objects.find_named(name) is None
        objects.put_named(name, name.encode())
        assert objects.find_named(name) == name.encode()
    objects.remove_named("runs/r/work")
    assert objects.find_named("runs/r/work/a.pt") is None
    assert objects.find_named("runs/r/work/b.pt") is None
    assert objects.find_named("runs/r/work2/a.pt") == b"runs/r/work2/a.pt"
    objects.remove_named("runs/r/work2/a.pt")
    assert objects.find_named("runs/r/work2/a.pt") is None
    objects.remove_named("runs/r/work")
    objects.put_named("runs/r/work/a.pt", b"again")
    assert objects.find_named("runs/r/work/a.pt") == b"again"


def test_a_folder_keeps_its_files(objects: ObjectStore, tmp_path: Path) -> None:
    (tmp_path / "model" / "text").mkdir(parents=True)
    (tmp_path / "model" / "a.json").write_text("{}")
    (tmp_path / "model" / "text" / "b.bin").write_bytes(b"b")
    uri = objects.put_directory("models/m", tmp_path / "model")
    assert objects.get(f"{uri}/a.json") == b"{}"
    assert objects.get(f"{uri}/text/b.bin") == b"b"


def test_missing_object_is_named(objects: ObjectStore) -> None:
    uri = objects.put(b"x", ".bin").replace(".bin", ".nope")
    with pytest.raises(DataError, match=r"\.nope is not in the store"):
        objects.get(uri)


def test_names_stay_inside(objects: ObjectStore) -> None:
    with pytest.raises(ValueError, match="leaves the store"):
        objects.put_named("runs/../../etc/passwd", b"x")


def test_full_disk_leaves_no_partial_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = FsspecObjects(f"file://{tmp_path}/objects")

    def full(self: Path, data: bytes) -> int:
        self.touch()
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(Exception, match="disk full while writing"):
        store.put(b"x", ".bin")
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]
