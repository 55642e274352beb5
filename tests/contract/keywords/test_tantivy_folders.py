"""What only the embedded engine can get wrong: folders that several processes share."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kindling.errors import DataError
from kindling.ports.index import Document
from kindling.stores.keywords_tantivy import TantivyKeywords

Make = Callable[..., Document]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "keywords"


def test_a_reader_elsewhere_sees_a_rebuilt_version(folder: Path, make: Make) -> None:
    TantivyKeywords(folder).build("v1", [make("old", "torn dress")])
    program = (
        "import sys; from pathlib import Path; from kindling.stores.keywords_tantivy import TantivyKeywords\n"
        "index = TantivyKeywords(Path(sys.argv[1]))\n"
        "for _ in sys.stdin: print([h.review_id for h in index.search('v1', 'torn', 5)], flush=True)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={"PYTHONPATH": str(Path(__file__).parents[3] / "include")},
    ) as reader:

        def asked() -> str:
            reader.stdin.write("\n")
            reader.stdin.flush()
            return reader.stdout.readline().strip()

        assert asked() == "['old']"
        TantivyKeywords(folder).build(
            "v1", [make("new", "torn dress"), make("second", "torn seam, torn hem")]
        )
        assert asked() == "['second', 'new']"
        reader.stdin.close()


def test_a_build_that_fails_leaves_what_was_there(folder: Path, make: Make) -> None:
    index = TantivyKeywords(folder)
    index.build("v1", [make("kept", "torn dress")])

    def breaking() -> Iterator[Document]:
        yield make("half", "torn dress")
        raise RuntimeError("source broke")

    for version in ("v1", "v2"):
        with pytest.raises(RuntimeError, match="source broke"):
            index.build(version, breaking())
    assert index.versions() == ["v1"]
    assert [hit.review_id for hit in index.search("v1", "torn", 5)] == ["kept"]
    assert {path.name for path in folder.iterdir()} == {"v1", ".lock"}


def test_leftovers_of_a_killed_builder_are_no_version_and_go(
    folder: Path, make: Make
) -> None:
    index = TantivyKeywords(folder)
    (folder / ".scratch-dead").mkdir(parents=True)
    assert index.versions() == []
    index.build("v1", [make("r", "dress")])
    assert {path.name for path in folder.iterdir()} == {"v1", ".lock"}


def test_a_missing_folder_holds_no_version(folder: Path) -> None:
    assert TantivyKeywords(folder).versions() == []
    TantivyKeywords(folder).drop("v1")
    assert not folder.exists()


@pytest.mark.parametrize("damage", ["emptied", "overwritten", "meta"])
def test_a_damaged_folder_is_a_data_error(
    folder: Path, make: Make, damage: str
) -> None:
    TantivyKeywords(folder).build("v1", [make(f"r{i}", "torn dress") for i in range(9)])
    for path in (folder / "v1").iterdir():
        if damage == "meta" and path.name == "meta.json":
            path.write_text("{}")
        elif damage == "emptied" and path.name != "meta.json":
            path.unlink()
        elif damage == "overwritten" and path.name != "meta.json":
            path.write_bytes(b"\0" * 10)
    for ask in (
        lambda index: index.search("v1", "torn", 5),
        lambda index: index.count("v1"),
    ):
        with pytest.raises(DataError, match=r"cannot be read.*index stage"):
            ask(TantivyKeywords(folder))


def test_old_versions_are_not_kept_open(folder: Path, make: Make) -> None:
    index = TantivyKeywords(folder)
    for number in range(6):
        index.build(f"v{number}", [make("r", "torn dress")])
        assert index.search(f"v{number}", "torn", 5)
    assert len(index._open) == 2 and "v5" in index._open
