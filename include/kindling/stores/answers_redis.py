"""Answers in Redis: shared by servers, never waited for."""

import json
import logging
import time
from typing import Any

import redis.asyncio
from redis.exceptions import RedisError

from kindling.errors import ConfigurationError

#: Seconds that one question to Redis may take: an answer worked out anew takes about as long.
WAIT_S = 0.05
#: Seconds for which a Redis that failed is not asked.
REST_S = 5.0
KEPT_S = 86_400
PREFIX = "kindling:answer:"

log = logging.getLogger(__name__)


class RedisAnswers:
    """SharedAnswers by URL (`redis://…`, `rediss://…`, `unix://…`)."""

    def __init__(self, url: str) -> None:
        try:
            self._redis = redis.asyncio.Redis.from_url(
                url,
                socket_timeout=WAIT_S,
                socket_connect_timeout=WAIT_S,
                max_connections=64,
            )
        except ValueError as error:
            raise ConfigurationError(
                f"KINDLING_CACHE_URL={url!r}: {error}; allowed: redis://, rediss://, unix://"
            ) from error
        self._resting_until = 0.0

    async def find(self, key: str) -> dict[str, Any] | None:
        """The answer kept under the key; None where there is none, or Redis is away."""
        if self._resting():
            return None
        try:
            data = await self._redis.get(PREFIX + key)
            answer = json.loads(data) if data else None
        except (RedisError, OSError, TimeoutError, ValueError) as error:
            self._rest(error)
            return None
        return answer if isinstance(answer, dict) else None

    async def keep(self, key: str, answer: dict[str, Any]) -> None:
        """Keep it for a day; an answer that cannot be kept is forgotten."""
        if self._resting():
            return
        try:
            await self._redis.set(PREFIX + key, json.dumps(answer), ex=KEPT_S)
        except (RedisError, OSError, TimeoutError) as error:
            self._rest(error)

    def _resting(self) -> bool:
        return time.monotonic() < self._resting_until

    def _rest(self, error: Exception) -> None:
        self._resting_until = time.monotonic() + REST_S
        log.warning("the shared cache is not asked for %g s: %r", REST_S, error)
