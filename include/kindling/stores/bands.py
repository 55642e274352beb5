"""MinHash bands in PostgreSQL: one narrow table of (key, leader), looked up by a whole night at once."""

import hashlib
from collections.abc import Iterable
from typing import Any

import numpy as np

from kindling.ports.bands import BandRow
from kindling.stores.postgres import connect

#: Rows that one key proposes at most: one of more is a phrase that everybody writes.
_BUCKET = 50


class PostgresBands:
    """BandStore over PostgreSQL."""

    def __init__(self, url: str) -> None:
        self._url = url

    def add(self, space: str, rows: Iterable[BandRow]) -> None:
        """Add rows; one whose review is there already is left as it is."""
        held = {row.review_id: row for row in rows}
        with connect(self._url) as connection, connection.cursor() as cursor:
            cursor.execute(
                "CREATE TEMP TABLE coming (place bigint, LIKE band_leader) ON COMMIT DROP"
            )
            cursor.execute("ALTER TABLE coming ALTER number DROP NOT NULL")
            with cursor.copy(
                "COPY coming (place, space, review_id, folded, scope, sentiment, signature)"
                " FROM STDIN"
            ) as copy:
                for place, row in enumerate(held.values()):
                    columns = (row.review_id, row.folded, row.scope, row.sentiment)
                    copy.write_row((place, space, *columns, row.signature))
            numbers = cursor.execute(
                "INSERT INTO band_leader (space, review_id, folded, scope, sentiment, signature)"
                " SELECT space, review_id, folded, scope, sentiment, signature FROM coming"
                " ORDER BY place ON CONFLICT DO NOTHING RETURNING review_id, number"
            ).fetchall()
            _copy_keys(cursor, space, held, dict(numbers))

    def candidates(self, space: str, keys: np.ndarray) -> list[BandRow]:
        """Rows that share one of the keys (uint64), without their keys, oldest first.

        Of a key that many rows have, the first 50 are given.
        """
        with connect(self._url) as connection, connection.cursor() as cursor:
            cursor.execute("CREATE TEMP TABLE asked (key bigint) ON COMMIT DROP")
            with cursor.copy("COPY asked (key) FROM STDIN") as copy:
                for key in np.unique(_signed(space, keys)).tolist():
                    copy.write_row((key,))
            cursor.execute("ANALYZE asked")
            rows = cursor.execute(
                """
                SELECT l.review_id, l.folded, l.scope, l.sentiment, l.signature
                FROM (SELECT DISTINCT found.leader FROM asked CROSS JOIN LATERAL (
                    SELECT leader FROM band_key b WHERE b.key = asked.key
                    ORDER BY leader LIMIT %s) found) hit
                JOIN band_leader l ON l.number = hit.leader
                WHERE l.space = %s ORDER BY l.number
                """,
                (_BUCKET, space),
            ).fetchall()
        return [BandRow(*row) for row in rows]

    def remove(self, space: str, review_ids: Iterable[str]) -> None:
        """Take rows out; unknown ids are ignored."""
        with connect(self._url) as connection:
            connection.execute(
                "DELETE FROM band_leader WHERE space = %s AND review_id = ANY(%s)",
                (space, list(review_ids)),
            )


def _copy_keys(
    cursor: Any, space: str, rows: dict[str, BandRow], numbers: dict[str, int]
) -> None:
    with cursor.copy("COPY band_key (key, leader) FROM STDIN") as copy:
        for review_id, number in numbers.items():
            keys = np.array(rows[review_id].keys, np.uint64)
            for key in np.unique(_signed(space, keys)).tolist():
                copy.write_row((key, number))


def _signed(space: str, keys: np.ndarray) -> np.ndarray:
    """Keys of the space as PostgreSQL's bigint: spaces share a table, and seldom a key."""
    digest = hashlib.blake2b(space.encode(), digest_size=8).digest()
    own = np.uint64(int.from_bytes(digest, "big"))
    signed: np.ndarray = (keys.astype(np.uint64) ^ own).view(np.int64)
    return signed
