"""The findings as lines for a person."""

from collections import Counter
from collections.abc import Iterator, Sequence

from kindling.look.findings import Findings, Part
from kindling.look.verdict import language_name

_SHOWN_CATEGORIES = 8
_SHOWN_REASONS = 8
_HOW = {
    "name": "by its name",
    "content": "by what it holds",
    "recipe": "by the recipe",
    "page": "on the page",
}
_WANTED = {
    "body": "the review's text",
    "stars": "stars",
    "title": "title",
    "product_id": "product",
    "category": "category",
    "date": "date",
    "photo": "photo",
}
#: What a machine's reason for a refusal means.
REASONS = {
    "ragged_row": "another number of cells than the header",
    "quote_never_closed": "a quote that never closes",
    "line_too_long": "a line longer than any review",
    "nul_byte": "a NUL byte",
    "not_text": "bytes that are no text",
    "damaged_archive": "the gzip is damaged from here on",
    "damaged_parquet": "the Parquet file is damaged from here on",
    "unreadable_file": "the file is no table of text",
    "columns_unknown": "no column for text or stars",
    "header_again": "the header once more",
    "before_header": "before the header",
    "empty_text": "no text",
    "text_too_long": "a text longer than any review",
    "no_rating": "no stars",
    "rating_unreadable": "stars that cannot be read",
    "duplicate_id": "an id that was there before",
    "duplicate_row": "a review that was there before",
    "other_language": "a language that the recipe leaves out",
    "not_json": "no valid JSON",
    "no_object": "JSON, but no object",
    "no_product_id": "a product without an id",
    "beyond_max_rows": "beyond max_rows",
    "challenge_page": "a page that asks whether a person reads it",
    "ai_opt_out": "a page that refuses use for AI",
    "robots_disallowed": "robots.txt disallows it",
    "parse_error": "a page that says it has reviews, none of which could be read",
    "browser_needed": "a page made by JavaScript, and no browser for it",
    "browser_failed": "a page that no browser could draw",
    "blocked": "the shop refused",
    "not_html": "no page",
    "http_error:404": "a link that leads nowhere",
    "network_error": "no answer",
    "redirect_off_origin": "a link that leads off the shop",
    "rating_out_of_range": "stars beyond their own scale",
    "photo_broken": "a photo that does not load",
    "photo_off_site": "a photo on another site",
}


def lines_of(findings: Findings) -> Iterator[str]:
    """What was recognised, how much of what there is, and what was refused, line by line."""
    yield f"{findings.given}"
    for part in findings.parts:
        yield from _part(part)
    yield from findings.lines
    yield ""
    yield f"rows        {findings.found:,} found, {len(findings.reviews):,} usable"
    if findings.reviews:
        yield from _amounts(findings)
    yield from _refused(findings)


def _part(part: Part) -> Iterator[str]:
    shape = f", looks like an export of {part.shape}" if part.shape else ""
    yield f"  {part.name}: {part.reading}{shape}"
    width = max((len(one.column) for one in part.columns), default=0)
    for one in part.columns:
        yield (
            f"    {one.meaning:<12} {one.column:<{width}}  {_HOW.get(one.how, one.how)}"
            f"  e.g. {one.example or '(empty)'}"
        )
    here = {one.meaning for one in part.columns}
    absent = [
        word
        for meaning, word in _WANTED.items()
        if meaning not in here
        and not (meaning == "product_id" and "product_name" in here)
    ]
    if absent:
        yield f"    missing      {', '.join(absent)}"
    if part.unread:
        yield f"    not read     {', '.join(part.unread)}"
    for note in part.notes:
        yield f"    note         {note}"


def _amounts(findings: Findings) -> Iterator[str]:
    classes = ", ".join(f"{name} {n:,}" for name, n in findings.classes.items())
    stars = ", ".join(f"{star}: {n:,}" for star, n in findings.stars.items())
    yield f"classes     {classes}   (stars {stars})"
    languages = [
        f"{language_name(code)} {n:,}" for code, n in findings.languages.items()
    ]
    yield f"languages   {', '.join(languages[:6]) or 'not told'}"
    yield f"products    {findings.products_named:,} named"
    categories = [f"{name} {n:,}" for name, n in findings.categories.items()]
    more = len(categories) - _SHOWN_CATEGORIES
    shown = ", ".join(categories[:_SHOWN_CATEGORIES])
    yield f"categories  {shown}{f', and {more} more' if more > 0 else ''}"
    reached = f", {findings.photos_reached}" if findings.photos_reached else ""
    yield f"photos      {findings.photos_named:,} named{reached}"


def _refused(findings: Findings) -> Iterator[str]:
    counts = Counter(one.reason for one in findings.rejections)
    if not counts:
        return
    yield f"refused     {sum(counts.values()):,}, by reason:"
    for reason, count in counts.most_common(_SHOWN_REASONS):
        rows = [one for one in findings.rejections if one.reason == reason]
        yield f"    {count:>6,}  {REASONS.get(reason, reason)}: {_examples(rows[:3])}"


def _examples(rows: Sequence[object]) -> str:
    told = []
    for row in rows:
        detail = getattr(row, "detail", "")
        name = getattr(row, "row_id", "")
        told.append(f"{name} ({detail[:80]})" if detail else name)
    return ", ".join(told)
