"""What a site lets crawlers fetch (RFC 9309), how fast, and where its sitemap is."""

from dataclasses import dataclass

from protego import Protego

AGENT = "kindling"
#: RFC 9309, 2.5: a crawler must parse at least this much; more is no robots.txt.
_MAX_BYTES = 500 * 1024


@dataclass(frozen=True)
class Robots:
    """The rules in force; `available` is False where robots.txt could not be had and all is disallowed."""

    _rules: Protego
    available: bool = True
    #: What stood in the way where it is not available.
    why: str = ""

    def allowed(self, url: str) -> bool:
        return self.available and self._rules.can_fetch(url, AGENT)

    def delay(self, own_s: float) -> float:
        """Seconds between requests: the larger of our own and the site's Crawl-delay."""
        return max(own_s, float(self._rules.crawl_delay(AGENT) or 0.0))

    @property
    def sitemaps(self) -> tuple[str, ...]:
        return tuple(self._rules.sitemaps)


def from_response(status: int | None, body: bytes = b"", why: str = "") -> Robots:
    """2xx: its rules; 4xx: no rules; 5xx or no answer (None): nothing may be fetched (RFC 9309, 2.3.1)."""
    if status is not None and 200 <= status < 300:
        return Robots(Protego.parse(body[:_MAX_BYTES].decode("utf-8", "replace")))
    return Robots(
        Protego.parse(""), available=status is not None and 400 <= status < 500, why=why
    )
