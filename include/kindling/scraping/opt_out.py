"""A site's word against use of its pages for AI training, in every spelling that is in use.

Read are `noai`, `noimageai` and `noml` in X-Robots-Tag and meta robots, the TDM Reservation Protocol (W3C
community group report, 2024) in header, meta and /.well-known/tdmrep.json, Cloudflare's Content-Signal, and
the IETF's Content-Usage (draft-ietf-aipref-attach).
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from selectolax.lexbor import LexborHTMLParser

_DIRECTIVES = {"noai", "noimageai", "noml"}
#: Directives with a value: what stands before their colon is no crawler's name.
_VALUED = {
    "max-snippet",
    "max-image-preview",
    "max-video-preview",
    "unavailable_after",
    "unavailable-after",
}
_OURS = {"", "*", "kindling"}
_AGENT = re.compile(r"([a-z][\w.-]*|\*):(.*)", re.IGNORECASE | re.DOTALL)
#: Terms of Content-Signal and of Content-Usage for training, and the values that refuse it.
_TRAINING = {"ai-train", "train-ai", "train-genai", "genai", "ai", "tdm"}
_REFUSED = {"n", "no", "0", "?0", "false"}
_LINE = re.compile(
    r"^[ \t]*(user-?agent|content-signal|content-usage|(?:dis)?allow|crawl-delay)"
    r"[ \t]*:[ \t]*([^#\r\n]*)",
    re.IGNORECASE | re.MULTILINE,
)
_MAX_BYTES = 500 * 1024


@dataclass(frozen=True)
class Preferences:
    """A site's rules: (path pattern, its words where it refuses, empty where it allows)."""

    rules: tuple[tuple[str, str], ...] = ()

    def against(self, url: str) -> str:
        """The refusal that the longest fitting pattern states; empty where none does."""
        try:
            parts = urlsplit(url)
        except ValueError:
            return ""
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        fitting = [rule for rule in self.rules if _fits(rule[0], path)]
        return max(fitting, key=lambda rule: (len(rule[0]), rule[1]), default=("", ""))[
            1
        ]


def preferences(robots_txt: str, tdmrep: bytes) -> Preferences:
    """What robots.txt and /.well-known/tdmrep.json say of AI use."""
    return Preferences((*_of_robots(robots_txt), *_of_tdmrep(tdmrep)))


def in_headers(headers: Mapping[str, str]) -> str:
    """The opt-out that a response states (header names in lower case); empty where there is none."""
    # Several headers of one name come as lines, each with agents of its own.
    for line in headers.get("x-robots-tag", "").splitlines():
        if found := _directives(line):
            return f"X-Robots-Tag: {found}"
    if headers.get("tdm-reservation", "").strip() == "1":
        return "tdm-reservation: 1"
    for name in ("content-signal", "content-usage"):
        if found := _signal(headers.get(name, "")):
            return f"{name}: {found}"
    return ""


def in_page(tree: LexborHTMLParser) -> str:
    """The opt-out that the page's meta elements state; empty where there is none."""
    for meta in tree.css("meta[content]"):
        attributes = meta.attributes
        name = attributes.get("name") or attributes.get("property")
        name = (name or attributes.get("http-equiv") or "").strip().lower()
        content = attributes["content"] or ""
        if name == "tdm-reservation" and content.strip() == "1":
            return "meta tdm-reservation: 1"
        if name in ("robots", "kindling", "x-robots-tag"):
            if found := _directives(content):
                return f"meta {name}: {found}"
        if name in ("content-signal", "content-usage") and (found := _signal(content)):
            return f"meta {name}: {found}"
    return ""


def _directives(value: str) -> str:
    """The directives against AI use that are meant for everybody or for this crawler."""
    agent, found = "", set[str]()
    for token in re.split(r"[,;\s]+", re.sub(r"\s*:\s*", ":", value.strip().lower())):
        # "otherbot: noai" speaks to another crawler, and so does what follows it.
        match = _AGENT.fullmatch(token)
        if match and match[1] not in _VALUED:
            agent, token = match[1], match[2]
        if agent in _OURS and token in _DIRECTIVES:
            found.add(token)
    return ", ".join(sorted(found))


def _signal(value: str) -> str:
    """The terms that refuse training in "search=yes, ai-train=no" or "train-ai=n"."""
    refused = []
    for term in re.split(r"[,;\s]+", re.sub(r"\s*=\s*", "=", value.strip().lower())):
        name, _, answer = term.partition("=")
        if name in _TRAINING and answer.strip('"') in _REFUSED:
            refused.append(term)
    return ", ".join(refused)


def _of_robots(text: str) -> list[tuple[str, str]]:
    rules: list[tuple[str, str]] = []
    agents: set[str] = set()
    in_group = False
    for name, value in _LINE.findall(text.removeprefix("\ufeff")):
        if name.lower().startswith("user"):
            # Lines of agents one after the other open one group.
            agents = agents | {value.strip()} if not in_group else {value.strip()}
            in_group = False
            continue
        in_group = True
        if not name.lower().startswith("content"):
            continue
        if agents and not {one.lower() for one in agents} & _OURS:
            continue
        path, terms = _pathed(value.strip())
        if "=" in terms:
            found = _signal(terms)
            rules.append((path, f"robots.txt {name}: {found}" if found else ""))
    return [rule for rule in rules if rule[1] or rule[0] != "/"]


def _pathed(value: str) -> tuple[str, str]:
    """A rule's path pattern and its terms: Content-Usage may name a path first."""
    if value.startswith(("/", "*")):
        path, _, terms = value.partition(" ")
        return path, terms
    return "/", value


def _of_tdmrep(content: bytes) -> list[tuple[str, str]]:
    if not content or len(content) > _MAX_BYTES:
        return []
    try:
        entries = json.loads(content.decode("utf-8-sig", "replace"))
    except (ValueError, RecursionError):
        return []
    rules = []
    for entry in entries if isinstance(entries, list) else [entries]:
        if isinstance(entry, dict) and isinstance(entry.get("location"), str):
            refused = str(entry.get("tdm-reservation")) == "1"
            text = f"tdmrep.json {entry['location'][:100]}: 1" if refused else ""
            rules.append((entry["location"], text))
    return rules


def _fits(pattern: str, path: str) -> bool:
    """Whether a pattern of robots.txt's kind (`*`, `$`) covers the path."""
    ends = pattern.endswith("$")
    parts = pattern.removesuffix("$").split("*")
    if not path.startswith(parts[0]):
        return False
    at = len(parts[0])
    for part in parts[1:]:
        found = path.find(part, at)
        if found < 0:
            return False
        at = found + len(part)
    return not ends or at == len(path) or (parts[-1] == "" and len(parts) > 1)
