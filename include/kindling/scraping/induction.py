"""Rules for reviews found in the repeated structure of a shop's pages, without a model and without a name.

Where a page shows a rating beside a text, again and again and under the same marks, there is a list of
reviews, or of other products. What tells them apart is checked over several pages before a rule is used:
how many items it finds (support), whether their texts differ (uniqueness), whether ratings and dates read as
such (types), whether it agrees with the pages' structured data where there is any, and how far
it is ahead of the next best rule (margin). Repeated-record mining after Liu, Grossman, Zhai, "Mining data
records in Web pages", KDD 2003.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from selectolax.lexbor import LexborHTMLParser, LexborNode

from kindling.scraping.dates import iso_date
from kindling.scraping.findings import Extraction
from kindling.scraping.induced_fields import Fields, fields_of
from kindling.scraping.mapping import ReviewRules
from kindling.scraping.structure import ancestors, keys_of, rating_spots

_ABOUT_REVIEWS = re.compile(
    r"review|comment|avis|bewertung|rezension|opinion|recensi|reseñ|testimonial|"
    r"beoordeling|avaliac|hodnocen|yorum|отзыв|レビュー|feedback",
    re.IGNORECASE,
)
_PRICE = re.compile(r"[$€£¥₹]\s?\d|\d\s?(?:€|zł|kr|₽|руб)", re.IGNORECASE)
_MIN_ITEMS = 3
_MIN_PAGES = 2
#: What never repeats within a page is no list.
_MIN_REPEATED = 2
_MIN_UNIQUE = 0.9
_MIN_TYPED = 0.9
_MIN_AGREEING = 0.8
#: The next best rule, of other items, may have this share of the best one's score.
_MAX_RUNNER_UP = 0.8
_MIN_TEXT = 15
_MAX_ITEM_TEXT = 12_000


@dataclass(frozen=True)
class Sample:
    """A parsed page with what was read from it without rules."""

    tree: LexborHTMLParser
    extraction: Extraction
    language: str = ""


@dataclass
class _Candidate:
    """A key and the elements under it that hold one rating and a text, by page."""

    key: str
    items: dict[int, list[LexborNode]] = field(
        default_factory=lambda: defaultdict(list)
    )

    @property
    def all(self) -> list[LexborNode]:
        return [item for items in self.items.values() for item in items]


@dataclass(frozen=True)
class Verdict:
    """Rules that passed, or why none did."""

    rules: ReviewRules | None
    why: str
    #: What was counted: items, pages, shares between 0 and 1.
    evidence: dict[str, float] = field(default_factory=dict)


def induce(samples: Sequence[Sample]) -> Verdict:
    """Rules for the reviews of these pages of one shop; none where they cannot be verified."""
    candidates = _candidates(samples)
    scored = sorted(
        ((_score(one, samples), one) for one in candidates),
        # Of rules that are equally good, the outermost: it holds the id.
        key=lambda pair: (-pair[0], _depth(pair[1]), pair[1].key),
    )
    scored = [(score, one) for score, one in scored if score > 0]
    if not scored:
        return Verdict(None, "no repeated items with a rating and a text")
    score, best = scored[0]
    inside = _covered(best)
    rivals = [
        other
        for other, one in scored[1:]
        if not any(item.mem_id in inside for item in one.all)
    ]
    runner_up = max(rivals, default=0.0) / score
    return _verified(best, samples, runner_up)


def _candidates(samples: Sequence[Sample]) -> list[_Candidate]:
    found: dict[str, _Candidate] = {}
    for number, sample in enumerate(samples):
        spots = rating_spots(sample.tree)
        holders: dict[int, list[LexborNode]] = defaultdict(list)
        nodes: dict[int, LexborNode] = {}
        for spot, _ in spots:
            for above in ancestors(spot):
                nodes[above.mem_id] = above
                holders[above.mem_id].append(spot)
        for mem_id, inner in holders.items():
            if len(inner) > 1 or not _is_item(nodes[mem_id]):
                continue
            for key in keys_of(nodes[mem_id]):
                one = found.setdefault(key, _Candidate(key))
                one.items[number].append(nodes[mem_id])
    return [one for one in found.values() if len(one.all) >= _MIN_ITEMS]


def _is_item(node: LexborNode) -> bool:
    """Whether there is a text outside of links, and no price."""
    text = node.text()
    if not _MIN_TEXT < len(text) or len(text) > 20 * _MAX_ITEM_TEXT:
        return False
    words = len(" ".join(text.split()))
    if not _MIN_TEXT < words < _MAX_ITEM_TEXT:
        return False
    linked = sum(len(" ".join(link.text().split())) for link in node.css("a[href]"))
    return words - linked > _MIN_TEXT and not _PRICE.search(text)


def _score(candidate: _Candidate, samples: Sequence[Sample]) -> float:
    """How much speaks for a list of reviews: items, marks that name reviews, dates, and a key of their own."""
    items = candidate.all
    named = sum(map(_names_reviews, items)) / len(items)
    dated = _dated(items[:40], samples[0].language)
    texts = Counter(" ".join(item.text().split())[:200] for item in items)
    unique = len(texts) / len(items)
    if named < 0.5 and dated < 0.6:
        return 0.0
    # Outer elements hold all fields, inner ones only some.
    whole = sum(len(text) for text in texts) / len(texts)
    telling = 1.2 if _ABOUT_REVIEWS.search(candidate.key) else 1.0
    matched = sum(
        len(samples[page].tree.css(candidate.key)) for page in candidate.items
    )
    precise = len(items) / matched
    evidence = 0.5 + named + dated + min(whole, 2000) / 20_000
    return len(items) * unique * precise * telling * evidence


def _depth(candidate: _Candidate) -> int:
    return sum(1 for _ in ancestors(candidate.all[0], 100))


def _names_reviews(item: LexborNode) -> bool:
    marks = " ".join(
        f"{one.attributes.get('class') or ''} {one.attributes.get('id') or ''} "
        f"{' '.join(keys_of(one))}"
        for one in (item, *ancestors(item, 2))
    )
    return bool(_ABOUT_REVIEWS.search(marks))


def _dated(items: Sequence[LexborNode], language: str) -> float:
    found = 0
    for item in items:
        found += any(
            iso_date(one.attributes.get("datetime") or one.text()[:60], language)
            for one in item.css(
                "time, [class*=date i], [data-hook*=date i], [class*=time i]"
            )
        )
    return found / len(items)


def _covered(candidate: _Candidate) -> set[int]:
    """All elements inside and around the candidate's items."""
    covered: set[int] = set()
    for item in candidate.all:
        covered.update(one.mem_id for one in item.css("*"))
        covered.add(item.mem_id)
        covered.update(one.mem_id for one in ancestors(item))
    return covered


def _verified(best: _Candidate, samples: Sequence[Sample], runner_up: float) -> Verdict:
    fields = fields_of(best.all, [sample.language for sample in samples])
    if fields is None:
        return Verdict(None, f"{best.key}: no text that differs from item to item")
    return judged(best.key, best.items, fields, samples, runner_up)


def judged(
    item: str,
    items: Mapping[int, Sequence[LexborNode]],
    fields: Fields,
    samples: Sequence[Sample],
    runner_up: float = 0.0,
) -> Verdict:
    """Rules of these fields for the elements `item`, by page, if they pass every check."""
    rules = fields.rules(item)
    evidence = _evidence(items, fields, samples) | {"runner_up": runner_up}
    for name, bound in (
        ("items", _MIN_ITEMS),
        ("pages", _MIN_PAGES),
        ("on_one_page", _MIN_REPEATED),
        ("unique", _MIN_UNIQUE),
        ("typed", _MIN_TYPED),
        ("agreeing", _MIN_AGREEING),
    ):
        if evidence[name] < bound:
            why = f"{item}: {name} {evidence[name]:g}, at least {bound:g} is wanted"
            return Verdict(None, why, evidence)
    if runner_up > _MAX_RUNNER_UP:
        why = f"{item}: another rule is as good ({runner_up:.2f} of its score)"
        return Verdict(None, why, evidence)
    return Verdict(rules, "", evidence)


def _evidence(
    items_by_page: Mapping[int, Sequence[LexborNode]],
    fields: Fields,
    samples: Sequence[Sample],
) -> dict[str, float]:
    bodies: list[str] = []
    typed = with_body = 0
    agreeing = compared = 0
    for number, items in items_by_page.items():
        structured = {
            _fold(review.body)
            for review in samples[number].extraction.reviews
            if review.body and review.method != "css"
        }
        for item in items:
            body, rating = fields.body_of(item), fields.rating_of(item)
            if not body:
                continue
            bodies.append(body)
            with_body += 1
            typed += rating is not None
            if structured:
                compared += 1
                agreeing += _fold(body) in structured
    return {
        "items": float(with_body),
        "pages": float(sum(bool(items) for items in items_by_page.values())),
        "on_one_page": float(max(len(items) for items in items_by_page.values())),
        "unique": len(set(bodies)) / max(len(bodies), 1),
        "typed": typed / max(with_body, 1),
        "agreeing": agreeing / compared if compared else 1.0,
    }


def _fold(text: str) -> str:
    return "".join(char for char in text.lower() if char.isalnum())[:60]
