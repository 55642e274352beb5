"""What a crawl has still to ask for, shared by its workers and kept over their deaths.

A worker adds keys, leases some, works, and settles them. A lease that runs out, because its
worker was killed, is anybody's. The first result of a key is the one that counts, so a worker
that lost its lease changes nothing.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol


class Frontier(Protocol):
    """Keys of one crawl after another. Every method is one transaction."""

    def open(self, run_id: str, crawl: str) -> None:
        """Begin or go on with a crawl.

        Results that were settled as `again` are open again, unless another worker holds a lease.
        What crawls of committed runs have left behind for a day is removed.
        """
        ...

    def add(self, crawl: str, keys: Sequence[str]) -> None:
        """Keys in the order to lease them; those that are known already stay as they are.

        ValueError where the crawl was never opened.
        """
        ...

    def lease(
        self, crawl: str, worker: str, keys: Sequence[str], most: int, seconds: float
    ) -> list[str]:
        """At most so many of these keys that are open and nobody holds, for this worker alone."""
        ...

    def renew(self, crawl: str, worker: str, seconds: float) -> None:
        """Hold what this worker holds for so long from now."""
        ...

    def settle(
        self,
        crawl: str,
        results: Mapping[str, bytes],
        again: Collection[str] = (),
    ) -> None:
        """Results by key. A key's first result counts; `again` are those of the keys to be
        opened once more by the next attempt."""
        ...

    def settled(self, crawl: str, keys: Collection[str]) -> dict[str, bytes]:
        """Results of those of the keys that have one."""
        ...

    def remove(self, run_id: str) -> None:
        """Remove all that crawls of the run have asked for and were answered, for good."""
        ...
