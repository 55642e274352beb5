"""Pages of one shop read together: what their structure has in common tells where reviews are."""

from collections.abc import Iterable
from dataclasses import dataclass

from selectolax.lexbor import LexborHTMLParser

from kindling.scraping.document import decoded, parsable, too_deep
from kindling.scraping.extract import extract
from kindling.scraping.findings import Extraction
from kindling.scraping.induction import Sample, Verdict, induce
from kindling.scraping.mapping import Mapping, ReviewRules

#: Pages that a rule is found on; more say nothing new.
MAX_SAMPLES = 16


@dataclass(frozen=True)
class SavedPage:
    """A page as it was fetched."""

    name: str
    url: str
    body: bytes
    content_type: str = ""


def read_together(
    pages: Iterable[SavedPage], mapping: Mapping
) -> list[tuple[SavedPage, Extraction]]:
    """Each page with its findings, in the given order, with rules that their common structure gives."""
    read = [(page, _read(page, mapping)) for page in pages]
    verdict = learn(read)
    if verdict.rules is None:
        return read
    learnt = with_rules(mapping, verdict.rules)
    return [
        (page, found if found.reviews else _read(page, learnt)) for page, found in read
    ]


def learn_from(pages: Iterable[SavedPage], mapping: Mapping) -> Verdict:
    """Rules that the pages' structure gives, where the mapping and structured data leave some unread."""
    return learn([(page, _read(page, mapping)) for page in pages])


def with_rules(mapping: Mapping, rules: ReviewRules) -> Mapping:
    """The mapping and, after its own layouts, the one that was found."""
    return mapping.model_copy(update={"reviews": (*mapping.reviews, rules)})


def learn(read: list[tuple[SavedPage, Extraction]]) -> Verdict:
    """Rules for the pages on which structured data and the mapping found nothing, or why there are none."""
    samples = _samples(read)
    return induce(samples) if samples else Verdict(None, "every page was read without")


def samples_of(pages: Iterable[SavedPage], mapping: Mapping) -> list[Sample]:
    """The pages as a rule is looked for in them; empty where none lacks one."""
    return _samples([(page, _read(page, mapping)) for page in pages])


def _samples(read: list[tuple[SavedPage, Extraction]]) -> list[Sample]:
    bare = [one for one in read if not one[1].reviews and not one[1].opt_out]
    others = [one for one in read if one[1].reviews and not one[1].opt_out]
    if not bare:
        return []
    # Those with reviews come along, for a rule has to agree with them.
    chosen = [*bare[:MAX_SAMPLES], *others[: MAX_SAMPLES // 2]]
    return [one for page in chosen if (one := _sample(*page)) is not None]


def _sample(page: SavedPage, found: Extraction) -> Sample | None:
    html = decoded(page.body, page.content_type)[0]
    if too_deep(html):
        return None
    return Sample(LexborHTMLParser(parsable(html)), found, found.language)


def _read(page: SavedPage, mapping: Mapping) -> Extraction:
    return extract(page.body, page.url, mapping, page.content_type)
