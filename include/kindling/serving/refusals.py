"""Requests that are not answered: a status, a stable code, and words for the client."""

from typing import Any

from fastapi import HTTPException


class Refused(HTTPException):
    """A request that cannot be answered, with the code and message of the answer's `error`.

    `retry_s`: seconds after which the same request may be answered. `close`: the connection
    is of no more use, because the rest of the body is not read.
    """

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        retry_s: int | None = None,
        close: bool = False,
    ) -> None:
        self._made_of = (status, code, message, retry_s, close)
        headers = {}
        if retry_s is not None or status == 503:
            headers["Retry-After"] = str(retry_s or 1)
        if close:
            headers["Connection"] = "close"
        super().__init__(status, {"code": code, "message": message}, headers or None)

    def __reduce__(self) -> tuple[Any, ...]:
        return Refused, self._made_of
