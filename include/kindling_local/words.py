"""What a state, an empty result or a code means: said where it appears, once."""

from collections.abc import Iterable, Mapping
from typing import Any

#: Airflow's states that do not say by themselves what comes next.
STATES: Mapping[str, str] = {
    "up_for_retry": "failed, is tried again within two minutes",
    "up_for_reschedule": "interrupted through no fault of its own, goes on in seconds",
    "upstream_failed": "not started, a stage before it failed",
    "scheduled": "about to start",
    "queued": "waits for a free slot",
    "restarting": "cleared, starts anew",
}

#: Stages that may rightly end without a row.
EMPTY: Mapping[str, str] = {
    "synthesize": "nothing was to be filled, or no draft passed its checks",
    "challenge": "no synthetic row was let through; what follows uses real rows only",
    "appraise": "no synthetic row is learned from; the cold-start curve in the report says why",
    "promote": "the candidate was not let through; the champion stays as it was",
}

#: Reasons for rejection whose names alone do not explain them.
CODES: Mapping[str, str] = {
    "beyond_niche_seeds": "more rows of a niche category than a cold start may have",
    "browser_needed": "a page drawn by script, and no Chromium that starts",
    "exact_duplicate": "the same text as a row that is kept",
    "near_duplicate": "almost the same text as a row that is kept",
    "photo_across_golden": "the photo is in the golden set too, and would leak from it",
    "photo_broken": "the photo is missing or damaged; its review is kept",
    "batch_harms": "a model reads real reviews worse with the synthetic batch than without",
    "beyond_product_share": "its product has brought all the rows that one product may",
    "copy_across_golden": "alike with a golden row of the opposite opinion",
    "copy_seen_in_training": "a new golden row alike with one that was learned from",
    "label_leak": "a word gives the synthetic row's sentiment away",
    "length_leak": "synthetic rows of this sentiment are of lengths that real ones have not",
    "misses_sentiment": "synthetic rows do not say the sentiment that was asked",
    "moved_into_golden": "a row that was learned from is on a golden product now",
    "repeats_another": "nearly the words of an earlier synthetic row",
    "word_salad": "the synthetic row's words are in an order that nobody writes",
    "not_shown_to_help": "a model that learns from the synthetic rows too is not shown to be better",
    "near_copy": "a draft too close to a row that it was made from",
    "no_label": "stars and model disagree too much to say a sentiment",
}


def state(name: str) -> str:
    """The state in words."""
    return STATES.get(name, name.replace("_", " "))


def emptiness(stage: str, report: Mapping[str, Any]) -> str:
    """Why a stage that succeeded has no row out; empty where it has one, or nothing is known."""
    return EMPTY.get(stage, "") if report["rows_out"] == 0 else ""


def legend(codes: Iterable[str]) -> list[str]:
    """`code: meaning`, of the codes that need it, each once."""
    return [f"{code}: {CODES[code]}" for code in sorted(set(codes) & CODES.keys())]
