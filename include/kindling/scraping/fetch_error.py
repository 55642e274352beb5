"""Why a page was not fetched, in the words of its rejection."""

from collections.abc import Mapping
from typing import Literal

Kind = Literal[
    "blocked",
    "not_found",
    "http_error",
    "server_error",
    "network",
    "empty",
    "too_large",
    "off_origin",
    "robots",
    "wrong_type",
    "encoding",
    "browser",
    "browser_needed",
]
#: HTTP status -> kind; 5xx is server_error, every other status http_error.
KINDS: Mapping[int, Kind] = {
    401: "blocked",
    403: "blocked",
    407: "blocked",
    429: "blocked",
    451: "blocked",
    404: "not_found",
    410: "not_found",
}
#: Where no HTTP status says it better.
_REASONS: Mapping[Kind, str] = {
    "blocked": "blocked",
    "not_found": "not_found",
    "http_error": "http_error",
    "server_error": "server_error",
    "network": "network_error",
    "empty": "empty_page",
    "too_large": "page_too_large",
    "robots": "robots_disallowed",
    "off_origin": "redirect_off_origin",
    "wrong_type": "not_html",
    "encoding": "content_encoding",
    "browser": "browser_failed",
    "browser_needed": "browser_needed",
}


class FetchError(Exception):
    """A page that was not got; `kind` says whose fault it is, `status` is the last HTTP status, if any."""

    def __init__(
        self, url: str, kind: Kind, detail: str, status: int | None = None
    ) -> None:
        super().__init__(f"{url}: {detail}")
        self.url, self.kind, self.detail, self.status = url, kind, detail, status

    @property
    def reason(self) -> str:
        """The rejection reason."""
        return f"http_error:{self.status}" if self.status else _REASONS[self.kind]

    @property
    def outage(self) -> bool:
        """Whether the same request may succeed later."""
        return self.kind in ("network", "server_error")
