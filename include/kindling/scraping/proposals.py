"""A language model's proposal of rules, where a page's structure alone gave none.

It is shown the page's skeleton: which kinds of elements repeat, and what sort of content each of them has.
No word of a page is in it, so no page can speak to the model. Its answer is a choice among the selectors that
the skeleton lists, by a JSON schema; nothing else can be said. What it chose has to pass the checks that a
rule found without it has to pass.
"""

import statistics
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec
from selectolax.lexbor import LexborNode

from kindling.errors import BudgetSpent, DataError, TransientError
from kindling.ports.llm import Llm, Message
from kindling.scraping.dates import iso_date
from kindling.scraping.induced_fields import Fields, id_attribute
from kindling.scraping.induction import Sample, Verdict, judged
from kindling.scraping.rating_element import rating_of
from kindling.scraping.structure import keys_of

#: Selectors that a model chooses among; more is no skeleton.
_MAX_KEYS = 80
_MIN_ITEMS = 3
_MIN_PAGES = 2
_SAMPLED = 40
_FIELDS = ("item", "body", "rating", "title", "date")
_OPTIONAL = ("title", "date")
_ASK = """\
A shop's product pages show customer reviews. Below are the kinds of elements that repeat on its pages, one a
line: the selector, how often it occurs on how many pages, and what sort of content it has. Choose the selector
of the element that holds one whole review (item), and within it those of the review's text (body) and of its
stars (rating); and of its title and date where there are such, else the empty string.
"""


class Outline(msgspec.Struct, frozen=True):
    """The skeleton of some pages: selectors, and a line about each."""

    keys: tuple[str, ...] = ()
    lines: tuple[str, ...] = ()


#: Selectors by field, or why there are none.
Proposed = Mapping[str, str] | str
Propose = Callable[[Outline], Proposed]


def outline(samples: Sequence[Sample]) -> Outline:
    """What repeats on several of the pages, the most frequent first; no text of theirs."""
    found: dict[str, list[LexborNode]] = defaultdict(list)
    pages: dict[str, set[int]] = defaultdict(set)
    for number, sample in enumerate(samples):
        for node in sample.tree.css("body *"):
            for key in keys_of(node):
                found[key].append(node)
                pages[key].add(number)
    repeated = [
        key
        for key, nodes in found.items()
        if len(nodes) >= _MIN_ITEMS and len(pages[key]) >= _MIN_PAGES
    ]
    repeated.sort(key=lambda key: (-len(found[key]), key))
    keys = repeated[:_MAX_KEYS]
    language = samples[0].language if samples else ""
    return Outline(
        tuple(keys),
        tuple(
            f"{key} | {len(found[key])} on {len(pages[key])} pages | "
            f"{_content(found[key][:_SAMPLED], language)}"
            for key in keys
        ),
    )


def proposer(llm: Llm) -> Propose:
    """Asks the model. No answer, a spent budget and an answer of another shape are each a reason: a shop
    can be read without."""

    def propose(shown: Outline) -> Proposed:
        if not shown.keys:
            return "nothing repeats on several pages"
        content = "\n".join([_ASK, *shown.lines])
        try:
            answer = llm.complete(
                [Message("user", content)], schema=schema(shown), max_tokens=256
            )
        except (BudgetSpent, DataError, TransientError) as error:
            return f"{llm.name}: {error}"
        parsed = answer.parsed or {}
        return {name: str(parsed.get(name, "")) for name in _FIELDS}

    return propose


def schema(shown: Outline) -> dict[str, Any]:
    """The only answers that there are: one of the listed selectors for each field."""
    return {
        "type": "object",
        "properties": {
            name: {"enum": [*shown.keys, *([""] if name in _OPTIONAL else [])]}
            for name in _FIELDS
        },
        "required": list(_FIELDS),
        "additionalProperties": False,
    }


def judge(
    proposed: Mapping[str, str], shown: Outline, samples: Sequence[Sample]
) -> Verdict:
    """The proposal as rules, if it passes what a rule found by structure has to pass."""
    for name in _FIELDS:
        value = proposed.get(name, "")
        # Whatever the server made of the schema: nothing but what the skeleton listed.
        if value not in shown.keys and not (name in _OPTIONAL and not value):
            return Verdict(None, f"{name}: {value[:80]!r} is no selector of the pages")
    item = proposed["item"]
    items = {
        number: found
        for number, sample in enumerate(samples)
        if (found := sample.tree.css(item))
    }
    every = [node for nodes in items.values() for node in nodes]
    if not every:
        return Verdict(None, f"{item}: finds nothing")
    date = proposed.get("date", "")
    fields = Fields(
        (proposed["body"],),
        (proposed["rating"],),
        date,
        _date_attribute(every, date),
        proposed.get("title", ""),
        id_attribute(every),
    )
    return judged(item, items, fields, samples)


def _content(nodes: Sequence[LexborNode], language: str) -> str:
    """What sort of content the elements have, in our own words."""
    texts = [" ".join(node.text().split()) for node in nodes]
    length = round(statistics.mean(map(len, texts)))
    said = [f"about {length} characters" if length else "no text"]
    said.append(f"{len(set(texts))} of {len(texts)} differ")
    short = [node for node, text in zip(nodes, texts, strict=True) if len(text) < 80]
    if short and sum(rating_of(node) is not None for node in short) > len(nodes) / 2:
        said.append("a rating")
    dated = sum(bool(iso_date(text, language)) for text in texts if len(text) < 60)
    if dated > len(texts) / 2:
        said.append("a date")
    return ", ".join(said)


def _date_attribute(items: Sequence[LexborNode], date: str) -> str:
    node = next((one for item in items if date for one in item.css(date)), None)
    return "datetime" if node is not None and node.attributes.get("datetime") else ""
