"""Plans, tombstones and certificates of forgetting, in PostgreSQL."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, fields
from typing import Any, LiteralString

from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from kindling.observe.lineage import sha256_of
from kindling.observe.marks import OWN_WORDS, hashed, marks_of, sources_of
from kindling.observe.row_hashes import folded
from kindling.observe.traces import needles_of, own_needles
from kindling.ports.forgetting import Change, Selection, Subject, Work
from kindling.records import Review
from kindling.stores.postgres import connect

#: Each text of each review once, whatever number of nights holds it.
_REAL: LiteralString = (
    "SELECT DISTINCT ON (review_id, title, body) * FROM review WHERE origin = 'scraped'"
)
_ALL: LiteralString = "SELECT DISTINCT ON (review_id, title, body) * FROM review"
#: Rows fetched at once.
_BATCH = 2000


class PostgresJournal:
    """Journal and Tombstones over PostgreSQL."""

    def __init__(self, url: str) -> None:
        self._url = url

    def plan(self, selection: Selection) -> Subject:
        """What the selection means in the record; empty where it names nothing that is there."""
        asked = list(self._selected(selection))
        texts = {folded(one.text) for one in asked}
        own = {text for text in texts if len(text) >= OWN_WORDS}
        ids = {one.review_id for one in asked}
        if own:
            copies = [
                one
                for one in self._reviews(_REAL, ())
                if one.review_id not in ids and folded(one.text) in own
            ]
            asked += copies
            ids |= {one.review_id for one in copies}
        if not asked:
            return Subject((), tombstones=_asked_by_name(selection))
        return self._subject(asked, sorted(ids), selection)

    def begin(self, subject: Subject) -> Work:
        """Keep plan and tombstones in one transaction: from here on nothing comes back."""
        with connect(self._url) as connection:
            connection.cursor().executemany(
                "INSERT INTO tombstone (sha256) VALUES (%s) ON CONFLICT DO NOTHING",
                [(one,) for one in subject.tombstones],
            )
            row = connection.execute(
                "INSERT INTO forgetting (plan) VALUES (%s) RETURNING number",
                (Jsonb(asdict(subject)),),
            ).fetchone()
        assert row is not None
        return Work(row[0], subject)

    def unfinished(self) -> list[Work]:
        """Works that were begun and not certified, oldest first."""
        with connect(self._url) as connection:
            rows = connection.execute(
                "SELECT number, plan FROM forgetting WHERE plan IS NOT NULL ORDER BY number"
            ).fetchall()
        return [
            Work(number, Subject(**{name: tuple(some) for name, some in plan.items()}))
            for number, plan in rows
        ]

    def add_changes(self, number: int, changes: Sequence[Change]) -> None:
        """Keep what a store changed, so that a killed work's certificate lists it too."""
        if not changes:
            return
        with connect(self._url) as connection:
            connection.execute(
                "UPDATE forgetting SET changes = changes || %s WHERE number = %s",
                (Jsonb([asdict(one) for one in changes]), number),
            )

    def changes(self, number: int) -> list[Change]:
        """All changes of the work so far, each once."""
        with connect(self._url) as connection:
            row = connection.execute(
                "SELECT changes FROM forgetting WHERE number = %s", (number,)
            ).fetchone()
        found = [Change(**one) for one in (row[0] if row else [])]
        return list(dict.fromkeys(found))

    def certify(self, number: int, certificate: Mapping[str, Any]) -> None:
        """Keep the certificate in place of the plan, whose texts go with it."""
        with connect(self._url) as connection:
            connection.execute(
                "UPDATE forgetting SET plan = NULL, changes = '[]', certificate = %s,"
                " certified_at = now() WHERE number = %s",
                (Jsonb(dict(certificate)), number),
            )
        with connect(self._url, autocommit=True) as connection:
            # The row before the update is still in the table's file.
            connection.execute("VACUUM (FULL) forgetting")

    def certificates(self) -> list[Work]:
        """Certified works, oldest first."""
        with connect(self._url) as connection:
            rows = connection.execute(
                "SELECT number, certificate FROM forgetting"
                " WHERE certificate IS NOT NULL ORDER BY number"
            ).fetchall()
        return [Work(number, None, certificate) for number, certificate in rows]

    def among(self, hashes: Sequence[str]) -> frozenset[str]:
        """Those of the hashes that are buried."""
        with connect(self._url) as connection:
            rows = connection.execute(
                "SELECT sha256 FROM tombstone WHERE sha256 = ANY(%s)", (list(hashes),)
            ).fetchall()
        return frozenset(one for (one,) in rows)

    def _selected(self, selection: Selection) -> Iterator[Review]:
        if selection.reviews:
            asked = list(selection.reviews)
            yield from self._reviews(_REAL + " AND review_id = ANY(%s)", (asked,))
        if selection.author_mark:
            query = _REAL + " AND author = %s"
            yield from self._reviews(query, (selection.author_mark,))
        if selection.source:
            # The name is in the address or in the id; whether it is one of the source's
            # names is decided on the row.
            query = (
                _REAL + " AND (strpos(source_url, %s) > 0 OR strpos(review_id, %s) > 0)"
            )
            likely = self._reviews(query, (selection.source, selection.source))
            yield from (one for one in likely if selection.source in sources_of(one))
        if selection.opted_out_in:
            query = (
                _REAL + " AND source_url IN (SELECT row_id FROM rejection"
                " WHERE run_id = %s AND reason = 'ai_opt_out')"
            )
            yield from self._reviews(query, (selection.opted_out_in,))

    def _reviews(self, query: LiteralString, values: Sequence[Any]) -> Iterator[Review]:
        names = [one.name for one in fields(Review)]
        with (
            connect(self._url, row_factory=dict_row) as connection,
            connection.cursor("reviews") as cursor,
        ):
            cursor.itersize = _BATCH
            cursor.execute(query, values)
            for row in cursor:
                yield Review(**{name: row[name] for name in names})

    def _subject(
        self, asked: Sequence[Review], ids: list[str], selection: Selection
    ) -> Subject:
        own, edited = self._photos(ids)
        made = self._made_of(ids, edited)
        children = sorted({one.review_id for one in made})
        texts = sorted({one.text for one in (*asked, *made)})
        gone = [*ids, *children]
        leaving = set(gone)
        staying = (
            one.text for one in self._reviews(_ALL, ()) if one.review_id not in leaving
        )
        needles = own_needles(needles_of(texts), staying)
        photos = sorted(
            {*own, *edited, *(one.photo_id for one in made if one.photo_id)}
        )
        pages = sorted({one.page_sha256 for one in asked if one.page_sha256})
        studies = self._column(
            "SELECT DISTINCT study_id FROM study WHERE base_photo_id = ANY(%s)", photos
        )
        marks = {hashed("review", one) for one in ids}
        for one in asked:
            marks |= {mark for mark, kind in marks_of(one).items() if kind == "text"}
        return Subject(
            reviews=tuple(ids),
            children=tuple(children),
            texts=tuple(texts),
            needles=needles,
            photos=tuple(photos),
            studies=tuple(studies),
            uris=tuple(self._uris(photos, studies, pages)),
            pages=tuple(pages),
            tombstones=tuple(sorted(marks.union(_asked_by_name(selection)))),
            runs=tuple(
                self._column(
                    "SELECT DISTINCT run_id FROM review WHERE review_id = ANY(%s)", gone
                )
            ),
        )

    def _made_of(self, ids: list[str], edited: list[str]) -> list[Review]:
        """Synthetic reviews that use the words of the reviews, or show a photo made from theirs."""
        query: LiteralString = (
            "SELECT DISTINCT ON (r.review_id, r.title, r.body) r.* FROM review r"
            " JOIN synthesis s USING (review_id)"
            " WHERE s.source_review_ids && %s OR r.photo_id = ANY(%s)"
        )
        return list(self._reviews(query, (ids, edited)))

    def _photos(self, ids: list[str]) -> tuple[list[str], list[str]]:
        """Photos that no review shows that stays, and those that were edited from them."""
        own = self._column(
            "SELECT DISTINCT photo_id FROM review WHERE review_id = ANY(%s)"
            " AND photo_id IS NOT NULL AND photo_id NOT IN"
            " (SELECT photo_id FROM review WHERE photo_id IS NOT NULL"
            "  AND origin = 'scraped' AND review_id <> ALL(%s))"
            " AND photo_id NOT IN (SELECT photo_id FROM photo WHERE kind = 'product')",
            ids,
            ids,
        )
        edited = self._column(
            "SELECT DISTINCT photo_id FROM photo WHERE base_photo_id = ANY(%s)", own
        )
        return own, edited

    def _uris(
        self, photos: list[str], studies: list[str], pages: list[str]
    ) -> list[str]:
        return sorted(
            {
                *self._column("SELECT uri FROM photo WHERE photo_id = ANY(%s)", photos),
                *self._column("SELECT uri FROM page WHERE sha256 = ANY(%s)", pages),
                *self._column(
                    "SELECT u.value FROM study, jsonb_each_text(uris) AS u"
                    " WHERE study_id = ANY(%s)",
                    studies,
                ),
            }
        )

    def _column(self, query: LiteralString, *values: list[str]) -> list[str]:
        with connect(self._url) as connection:
            found: Iterable[tuple[str]] = connection.execute(query, values).fetchall()
        return sorted(one for (one,) in found)


def _asked_by_name(selection: Selection) -> tuple[str, ...]:
    """Tombstones of what was asked for by name, so that what comes later stays out as well."""
    marks = [hashed("review", one) for one in selection.reviews]
    if selection.author_mark:
        marks.append(hashed("author", selection.author_mark))
    if selection.source:
        marks.append(hashed("source", selection.source))
    return tuple(marks)


def plan_sha256(subject: Subject) -> str:
    """Hash of a plan: what a certificate says was asked for, without its words."""
    return sha256_of(asdict(subject))
