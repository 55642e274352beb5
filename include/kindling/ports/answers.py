"""Answers that several servers share, so that the second of them need not work one out again."""

from typing import Any, Protocol


class SharedAnswers(Protocol):
    """Answers by key. Neither method raises, and neither lets a request wait for a store that is away."""

    async def find(self, key: str) -> dict[str, Any] | None:
        """The answer kept under the key; None where there is none, or the store is away."""
        ...

    async def keep(self, key: str, answer: dict[str, Any]) -> None:
        """Keep it for a while; an answer that cannot be kept is forgotten."""
        ...
