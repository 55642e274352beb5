"""A crawl's frontier in PostgreSQL: leases are rows, so they outlive the worker that took them."""

import hashlib
from collections.abc import Collection, Mapping, Sequence

from kindling.stores.postgres import connect

_LEFT_BEHIND = """
DELETE FROM frontier USING stage_commit AS done
 WHERE done.run_id = frontier.run_id AND done.stage = 'scrape'
   AND frontier.crawl <> %s AND frontier.added_at < now() - interval '1 day'
"""
#: One statement, so that two workers never read one open key; locked rows are the other's.
_LEASE = """
UPDATE frontier SET worker = %(worker)s, leases = leases + 1,
       leased_until = now() + make_interval(secs => %(seconds)s)
  FROM (SELECT crawl, digest FROM frontier
         WHERE crawl = %(crawl)s AND digest = ANY(%(digests)s) AND result IS NULL
           AND (leased_until IS NULL OR leased_until < now())
         ORDER BY number LIMIT %(most)s FOR UPDATE SKIP LOCKED) AS free
 WHERE frontier.crawl = free.crawl AND frontier.digest = free.digest
RETURNING frontier.number, frontier.key
"""
# What is being settled needs no lease any more; waiting for it could be a deadlock.
_RENEW = """
UPDATE frontier SET leased_until = now() + make_interval(secs => %(seconds)s)
  FROM (SELECT crawl, digest FROM frontier
         WHERE crawl = %(crawl)s AND worker = %(worker)s AND result IS NULL
           FOR UPDATE SKIP LOCKED) AS held
 WHERE frontier.crawl = held.crawl AND frontier.digest = held.digest
"""
_REOPEN = """
UPDATE frontier SET result = NULL, again = false, worker = NULL, leased_until = NULL
 WHERE crawl = %(crawl)s AND again AND NOT EXISTS (
       SELECT 1 FROM frontier AS held WHERE held.crawl = %(crawl)s
          AND held.result IS NULL AND held.leased_until >= now())
"""


class PostgresFrontier:
    """Frontier over PostgreSQL, one short connection a call."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._runs: dict[str, str] = {}

    def open(self, run_id: str, crawl: str) -> None:
        """Begin or go on with a crawl of a run that is known to the record."""
        self._runs[crawl] = run_id
        with connect(self._url) as connection:
            connection.execute(_LEFT_BEHIND, (crawl,))
            connection.execute(_REOPEN, {"crawl": crawl})

    def add(self, crawl: str, keys: Sequence[str]) -> None:
        """Keys in the order to lease them; known ones stay as they are."""
        if crawl not in self._runs:
            raise ValueError(f"crawl {crawl!r} was not opened")
        # Two workers add the same keys: one order for both, or each waits for the other.
        rows = [(self._runs[crawl], crawl, _digest(key), key) for key in keys]
        with connect(self._url) as connection, connection.cursor() as cursor:
            cursor.executemany(
                "INSERT INTO frontier (run_id, crawl, digest, key) VALUES (%s, %s, %s, %s)"
                " ON CONFLICT DO NOTHING",
                rows,
            )

    def lease(
        self, crawl: str, worker: str, keys: Sequence[str], most: int, seconds: float
    ) -> list[str]:
        """Those of the keys that are open and nobody holds, in the order they were added."""
        asked: dict[str, object] = {
            "crawl": crawl,
            "worker": worker,
            "most": most,
            "seconds": seconds,
        }
        asked["digests"] = [_digest(key) for key in keys]
        with connect(self._url) as connection:
            rows = connection.execute(_LEASE, asked).fetchall()
        return [key for _, key in sorted(rows)]

    def renew(self, crawl: str, worker: str, seconds: float) -> None:
        """Hold what this worker holds for so long from now."""
        with connect(self._url) as connection:
            asked = {"crawl": crawl, "worker": worker, "seconds": seconds}
            connection.execute(_RENEW, asked)

    def settle(
        self,
        crawl: str,
        results: Mapping[str, bytes],
        again: Collection[str] = (),
    ) -> None:
        """Results by key; a key's first result counts."""
        rows = [
            (result, key in again, crawl, _digest(key))
            for key, result in sorted(results.items(), key=lambda one: _digest(one[0]))
        ]
        with connect(self._url) as connection, connection.cursor() as cursor:
            cursor.executemany(
                "UPDATE frontier SET result = %s, again = %s, leased_until = NULL"
                " WHERE crawl = %s AND digest = %s AND result IS NULL",
                rows,
            )

    def settled(self, crawl: str, keys: Collection[str]) -> dict[str, bytes]:
        """Results of those of the keys that have one."""
        with connect(self._url) as connection:
            rows = connection.execute(
                "SELECT key, result FROM frontier"
                " WHERE crawl = %s AND digest = ANY(%s) AND result IS NOT NULL",
                (crawl, [_digest(key) for key in keys]),
            ).fetchall()
        return {key: bytes(result) for key, result in rows}

    def remove(self, run_id: str) -> None:
        """Remove all that crawls of the run have asked for and were answered."""
        with connect(self._url) as connection:
            connection.execute("DELETE FROM frontier WHERE run_id = %s", (run_id,))


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()
