"""What a site lets crawlers fetch (RFC 9309) and use, how fast, and where its sitemap is."""

import math
import re
from dataclasses import dataclass

from protego import Protego

from kindling.scraping import opt_out

AGENT = "kindling"
#: Seconds. A Crawl-delay beyond this would make a small shop a matter of weeks; it is cut to this.
MAX_DELAY_S = 300.0
#: RFC 9309, 2.5: a crawler must parse at least this much; more is no robots.txt.
_MAX_BYTES = 500 * 1024
_AGENT_LINE = re.compile(r"^[ \t]*user-?agent[ \t]*:[ \t]*([^#\r\n]*)", re.I | re.M)
_TOKEN = re.compile(r"[a-z_-]+", re.IGNORECASE)


@dataclass(frozen=True)
class Robots:
    """The rules in force; `available` is False where robots.txt was not answered and all is disallowed."""

    _rules: Protego
    available: bool = True
    #: What stood in the way where it is not available.
    why: str = ""
    #: What the site says of use for AI training, here and in /.well-known/tdmrep.json.
    preferences: opt_out.Preferences = opt_out.Preferences()

    def allowed(self, url: str) -> bool:
        return self.available and self._rules.can_fetch(url, AGENT)

    def ai_opt_out(self, url: str) -> str:
        """The site's own words against use of this address for AI training; empty where it has none."""
        return self.preferences.against(url)

    def delay(self, own_s: float) -> float:
        """Seconds between requests: the larger of our own and the site's Crawl-delay, 300 at most."""
        asked = float(self._rules.crawl_delay(AGENT) or 0.0)
        return max(own_s, min(asked, MAX_DELAY_S) if math.isfinite(asked) else 0.0)

    @property
    def sitemaps(self) -> tuple[str, ...]:
        return tuple(self._rules.sitemaps)


def from_response(
    status: int | None, body: bytes = b"", why: str = "", tdmrep: bytes = b""
) -> Robots:
    """2xx: its rules; 4xx: no rules; 429, 5xx or no answer (None): nothing may be fetched (RFC 9309, 2.3.1).

    429 asks to come back later, which is no permission: Google's crawler takes it for a server error, too.
    """
    if status is not None and 200 <= status < 300:
        text = body[:_MAX_BYTES].decode("utf-8-sig", "replace")
        return Robots(
            Protego.parse(_AGENT_LINE.sub(_exact_agent, text)),
            preferences=opt_out.preferences(text, tdmrep),
        )
    available = status is not None and 400 <= status < 500 and status != 429
    return Robots(
        Protego.parse(""),
        available=available,
        why=why,
        preferences=opt_out.preferences("", tdmrep),
    )


def _exact_agent(line: re.Match[str]) -> str:
    """RFC 9309, 2.2.1: product tokens are equal or not; protego takes a part of a name for the name."""
    name = line[1].strip()
    token = _TOKEN.match(name)
    if name == "*":
        return "User-agent: *"
    ours = token is not None and token[0].lower() == AGENT
    return f"User-agent: {AGENT}" if ours else "User-agent: another"
