"""BM25 without a server: one Tantivy index a version, in folders that many processes may read."""

import errno
import fcntl
import shutil
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import tantivy
from tantivy import Filter, Occur, Query, SchemaBuilder, TextAnalyzerBuilder, Tokenizer

from kindling.errors import DataError, KindlingError
from kindling.ports.index import Document, Filters, Hit
from kindling.stores.index_contract import EXACT_FIELDS, VERSION, checked, wanted

ANALYZER = "english"
HEAP_BYTES = 128_000_000
#: Versions held open: the one that serves, and the one that is coming.
MAX_OPEN = 2
#: A document as long as a query would be a query of thousands of terms: the first ones say enough.
MAX_QUERY_TERMS = 512


class TantivyKeywords:
    """KeywordIndex in `directory`. A version appears by one rename, so a reader never sees half of one."""

    name = "tantivy"

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._analyzer = _analyzer()
        self._schema = _schema()
        #: Version -> (identity of its folder, open index).
        self._open: dict[str, tuple[tuple[int, int], tantivy.Index]] = {}

    def build(self, version: str, documents: Iterable[Document]) -> int:
        """Make the version from nothing (replacing a half-built one); returns its count."""
        target = self._folder(version)
        self._directory.mkdir(parents=True, exist_ok=True)
        with self._one_builder():
            partial = self._scratch()
            partial.mkdir()
            count = self._write(partial, documents)
            if target.exists():
                # Rename cannot replace a full folder; processes that read the old one keep it open.
                target.rename(self._scratch())
            partial.rename(target)
        return count

    def count(self, version: str) -> int:
        with self._readable(version):
            return int(self._index(version).searcher().num_docs)

    def search(
        self, version: str, query: str, limit: int, filters: Filters | None = None
    ) -> list[Hit]:
        """Best first, ties by review id. Any text is a valid query; no word in common, no hit."""
        with self._readable(version):
            searcher = self._index(version).searcher()
        # Half a surrogate pair is text that JSON can carry and UTF-8 cannot.
        terms = self._analyzer.analyze(query.encode(errors="replace").decode())[
            :MAX_QUERY_TERMS
        ]
        if not terms or limit < 1:
            return []
        words = Query.boolean_query(
            [
                (
                    Occur.Should,
                    Query.term_query(self._schema, "text", term, index_option="freq"),
                )
                for term in terms
            ]
        )
        clauses = [(Occur.Must, words)]
        # A filter says yes or no: worth 0, so that it does not move a score.
        clauses += [
            (Occur.Must, Query.const_score_query(self._any_of(field, values), 0.0))
            for field, values in wanted(filters)
        ]
        with self._readable(version):
            found = searcher.search(Query.boolean_query(clauses), limit).hits
            hits = [
                Hit(str(searcher.doc(address).get_first("review_id")), score)
                for score, address in found
            ]
        return sorted(hits, key=lambda hit: (-hit.score, hit.review_id))

    def versions(self) -> list[str]:
        if not self._directory.is_dir():
            return []
        found = [
            path for path in self._directory.iterdir() if VERSION.fullmatch(path.name)
        ]
        return [
            path.name
            for path in sorted(
                found, key=lambda path: (path / "meta.json").stat().st_mtime_ns
            )
        ]

    def drop(self, version: str) -> None:
        self._open.pop(version, None)
        folder = self._folder(version)
        if folder.is_dir():
            with self._one_builder():
                folder.rename(self._scratch())

    def _folder(self, version: str) -> Path:
        return self._directory / checked(version)

    def _index(self, version: str) -> tantivy.Index:
        folder = self._folder(version)
        try:
            status = (folder / "meta.json").stat()
        except FileNotFoundError:
            raise DataError(
                f"keyword index version {version!r} is not in {self._directory}; run the index stage"
            ) from None
        # Another process may have rebuilt the version under the same name: then the file is another.
        identity = (status.st_ino, status.st_mtime_ns)
        known = self._open.get(version)
        if known is None or known[0] != identity:
            index = tantivy.Index.open(str(folder))
            index.register_tokenizer(ANALYZER, self._analyzer)
            known = (identity, index)
            self._remember(version, known)
        return known[1]

    def _remember(self, version: str, known: tuple[tuple[int, int], Any]) -> None:
        """Keep the newest few open: each holds files and memory, and old ones are not asked."""
        # Built anew and assigned once: searches of other threads read it meanwhile.
        others = [one for one in self._open.items() if one[0] != version]
        self._open = dict([*others[-(MAX_OPEN - 1) :], (version, known)])

    @contextmanager
    def _readable(self, version: str) -> Iterator[None]:
        """The engine's errors as the product's: a damaged folder is a DataError."""
        try:
            yield
        except (OSError, ValueError) as error:
            raise DataError(
                f"keyword index {self._folder(version)} cannot be read: {error}; "
                "run the index stage"
            ) from error

    def _write(self, folder: Path, documents: Iterable[Document]) -> int:
        index = tantivy.Index(self._schema, path=str(folder))
        index.register_tokenizer(ANALYZER, self._analyzer)
        try:
            # One thread and one order of documents: equal scores come back in the order of review ids.
            writer = index.writer(heap_size=HEAP_BYTES, num_threads=1)
            for document in sorted(documents, key=lambda one: one.review_id):
                writer.add_document(
                    tantivy.Document.from_dict(asdict(document), self._schema)
                )
            writer.commit()
            writer.wait_merging_threads()
        except (OSError, ValueError) as error:
            if getattr(error, "errno", None) == errno.ENOSPC or "No space left" in str(
                error
            ):
                raise KindlingError(
                    f"disk full while writing the keyword index in {folder}"
                ) from error
            raise
        index.reload()
        return index.searcher().num_docs

    def _any_of(self, field: str, values: list[str | int]) -> Query:
        if not values:
            return Query.empty_query()
        return Query.boolean_query(
            [
                (
                    Occur.Should,
                    Query.term_query(self._schema, field, value, index_option="basic"),
                )
                for value in values
            ]
        )

    @contextmanager
    def _one_builder(self) -> Iterator[None]:
        with open(self._directory / ".lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            self._sweep()  # Whoever made these is dead, or the lock would not be ours.
            try:
                yield
            finally:
                self._sweep()

    def _scratch(self) -> Path:
        return self._directory / f".scratch-{uuid.uuid4().hex}"

    def _sweep(self) -> None:
        for leftover in self._directory.glob(".scratch-*"):
            shutil.rmtree(leftover)


def _analyzer() -> tantivy.TextAnalyzer:
    """Words, lower case, English (Porter2) stems: what Elasticsearch's mapping beside this file says too."""
    return (
        TextAnalyzerBuilder(Tokenizer.simple())
        .filter(Filter.remove_long(40))
        .filter(Filter.lowercase())
        .filter(Filter.stemmer("english"))
        .build()
    )


def _schema() -> tantivy.Schema:
    builder = SchemaBuilder()
    builder.add_text_field("text", tokenizer_name=ANALYZER, index_option="freq")
    for field in EXACT_FIELDS:
        builder.add_text_field(
            field,
            stored=field == "review_id",
            tokenizer_name="raw",
            index_option="basic",
        )
    builder.add_integer_field("rating", indexed=True)
    return builder.build()
