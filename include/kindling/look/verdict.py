"""Whether there is enough to learn from, and if not, how many rows of what it would take."""

from collections.abc import Mapping

from kindling.look.findings import Findings
from kindling.records import SENTIMENTS

#: Reviews of each class without which a split has none of it, a fold has none of it, or a figure
#: of it means nothing: train, validation and golden each need several.
MIN_PER_CLASS = 20
MIN_REVIEWS = 120
#: Languages that the pinned text weights were trained on.
MODEL_LANGUAGES = frozenset({"en"})
#: Share of the told reviews in other languages from which the text model would mostly guess.
MAX_FOREIGN = 0.5
#: Share from which the recipe leaves the other languages out.
NOTED_FOREIGN = 0.02
_NAMES = {
    "de": "German",
    "en": "English",
    "es": "Spanish",
    "fr": "French",
    "it": "Italian",
    "nl": "Dutch",
    "pl": "Polish",
    "pt": "Portuguese",
    "ru": "Russian",
    "sv": "Swedish",
    "da": "Danish",
    "cs": "Czech",
    "tr": "Turkish",
    "ja": "Japanese",
    "ko": "Korean",
    "zh": "Chinese",
}


def language_name(code: str) -> str:
    return _NAMES.get(code, code or "too short to tell")


def problems(findings: Findings, own_weights: bool = False) -> list[str]:
    """Sentences that each say why no run is started, and what would help; empty when one may be.

    `own_weights`: the text model is not the pinned one, so its languages are not known.
    """
    if not findings.reviews:
        return [_nothing(findings)]
    found: list[str] = []
    if not own_weights and (foreign := _foreign(findings.languages)):
        found.append(foreign)
    if findings.sampled:
        return found
    classes = findings.classes
    for sentiment in SENTIMENTS:
        lacking = MIN_PER_CLASS - classes[sentiment]
        if lacking > 0:
            found.append(_lacking(sentiment, classes[sentiment], lacking))
    total = len(findings.reviews)
    if total < MIN_REVIEWS:
        found.append(
            f"{total} usable reviews are too few: {MIN_REVIEWS - total} more are needed, "
            f"{MIN_REVIEWS} in all, so that each of the three splits holds some of each class"
        )
    return found


def warnings(findings: Findings) -> list[str]:
    """Sentences about what a run will not be able to say."""
    found = []
    if findings.products_are == "review":
        named = findings.products_named
        found.append(
            f"{named or 'no'} product{'s are' if named != 1 else ' is'} named, too few to hold "
            "some back: every review counts as a product of its own, so the figures say "
            "nothing about products that the model has not seen"
        )
    if not findings.photos_named:
        found.append("no photos: the model reads text alone")
    if list(findings.categories) == ["uncategorised"]:
        found.append('no category is named: all reviews are in one, "uncategorised"')
    if findings.sampled:
        found.append(_of_sample(findings))
    elif len(findings.reviews) < 1_000:
        found.append(
            f"{len(findings.reviews)} reviews make wide intervals: expect the figures to say "
            "little more than that the model has learned something"
        )
    return found


def _of_sample(findings: Findings) -> str:
    """What the pages that were looked at leave open."""
    lacking = [
        f"{MIN_PER_CLASS - here} more of class {sentiment}"
        for sentiment, here in findings.classes.items()
        if here < MIN_PER_CLASS
    ]
    if not lacking:
        return "only a part of the shop was looked at; the run reads all of it"
    return (
        f"the pages looked at lack {' and '.join(lacking)}, of {MIN_PER_CLASS} each: the run "
        "ends after its first stage where the other pages do not have them"
    )


def languages_to_keep(languages: Mapping[str, int]) -> tuple[str, ...]:
    """The model's languages, where a notable share of the reviews is in others; else empty."""
    told = {code: count for code, count in languages.items() if code}
    foreign = sum(n for code, n in told.items() if code not in MODEL_LANGUAGES)
    total = sum(told.values())
    # Where most are foreign, leaving them out would hide what is wrong.
    if NOTED_FOREIGN * total < foreign <= MAX_FOREIGN * total:
        return tuple(sorted(MODEL_LANGUAGES))
    return ()


def _foreign(languages: Mapping[str, int]) -> str:
    told = {code: count for code, count in languages.items() if code}
    known = sum(n for code, n in told.items() if code in MODEL_LANGUAGES)
    total = sum(told.values())
    if not total or known >= (1 - MAX_FOREIGN) * total:
        return ""
    most = max(told, key=lambda code: told[code])
    reads = " and ".join(language_name(code) for code in sorted(MODEL_LANGUAGES))
    return (
        f"{told[most]} of {total} reviews are {language_name(most)}, which the text model does "
        f"not know: it reads {reads}, in which there are {known}; {MIN_REVIEWS} are needed, "
        f"{max(0, MIN_REVIEWS - known)} more. KINDLING_TEXT_MODEL names other weights"
    )


def _lacking(sentiment: str, here: int, lacking: int) -> str:
    stars = {
        "negative": "1 or 2 stars",
        "neutral": "3 stars",
        "positive": "4 or 5 stars",
    }
    return (
        f"{here or 'no'} review{'s are' if here != 1 else ' is'} {sentiment} ({stars[sentiment]}): "
        f"label {lacking} more of class {sentiment}, {MIN_PER_CLASS} in all"
    )


def _nothing(findings: Findings) -> str:
    reasons: dict[str, int] = {}
    for one in findings.rejections:
        reasons[one.reason] = reasons.get(one.reason, 0) + 1
    if not findings.found:
        return "there is not one row in it"
    most = max(reasons, key=lambda one: reasons[one]) if reasons else ""
    first = next((one for one in findings.rejections if one.reason == most), None)
    detail = f": {first.row_id}: {first.detail or most}" if first else ""
    return (
        f"none of {findings.found} rows gives a review with a text and stars{detail}; "
        f"{MIN_REVIEWS} are needed, {MIN_PER_CLASS} of each class"
    )
