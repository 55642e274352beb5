"""A text is found again however a store spells it, and taken out without what stands beside it."""

import gzip
import html
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kindling.observe.row_hashes import folded, text_sha256
from kindling.observe.traces import WINDOW, Traces, needles_of, own_needles

TEXT = 'My "café" pot leaked & stained the walnut table of her aunt\'s house.'
words = st.text(alphabet="abcdeéüßñ中", min_size=1, max_size=8)
texts = st.lists(words, min_size=WINDOW, max_size=30).map(" ".join)

SPELLINGS = {
    "as it is": str,
    "HTML": html.escape,
    "JSON": json.dumps,
    "JSON within HTML": lambda text: html.escape(json.dumps(text)),
    "JSON as UTF-8": lambda text: json.dumps({"a": [text]}, ensure_ascii=False),
    "capitals": str.upper,
    "with markup": lambda text: text.replace(" ", " <b>", 3),
    "in lines": lambda text: text.replace(" ", "\n  "),
}


def traces(text: str = TEXT) -> Traces:
    return Traces(tuple(needles_of([text])))


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_a_text_is_found_in_every_spelling(spelling: str) -> None:
    stored = f"before {SPELLINGS[spelling](TEXT)} after"
    assert traces().in_text(stored)
    assert traces().in_bytes(gzip.compress(stored.encode()))
    assert not traces().in_text("A pot that does not leak, on a table of walnut.")


@given(texts, texts)
def test_any_long_text_is_found_as_html_and_as_json(text: str, other: str) -> None:
    found = traces(text)
    for spelled in (html.escape(text), json.dumps(text)):
        assert found.in_text(f"{other} {spelled} {other}")


@given(st.lists(texts, max_size=4), texts)
def test_what_others_say_too_is_not_looked_for(others: list[str], text: str) -> None:
    needles = own_needles(needles_of([text]), others)
    assert not any(Traces(needles).in_text(other) for other in others)


def test_a_part_of_a_text_is_found_where_it_is_long_enough() -> None:
    part = " ".join(TEXT.split()[3:12])
    assert traces().in_text(f"they wrote: {part}")
    assert not traces().in_text(" ".join(TEXT.split()[3:6]))


def test_a_short_text_belongs_to_nobody() -> None:
    assert needles_of(["Love it"]) == set()


def test_json_loses_the_smallest_entry() -> None:
    found = Traces(tuple(needles_of([TEXT])), frozenset({"r1"}))
    value = {
        "reviews": {"r1": "train", "r2": "golden"},
        "learned": {"r1": [TEXT, "p", ""], "r9": [TEXT, "p", ""], "r2": ["x", "p", ""]},
        "ids": ["r1", "r2"],
        "n": 3,
        "nested": [{"text": TEXT, "row": 4}],
    }
    assert found.in_value(value)
    kept = found.scrubbed(value)
    assert kept == {
        "reviews": {"r2": "golden"},
        "learned": {"r2": ["x", "p", ""]},
        "ids": ["r2"],
        "n": 3,
        "nested": [{"row": 4}],
    }
    assert not found.in_value(kept)


@given(
    st.recursive(
        st.none() | st.integers() | texts,
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from("abc"), inner, max_size=3)
        ),
        max_leaves=8,
    )
)
def test_no_trace_is_left_in_scrubbed_json(value: object) -> None:
    found = traces("hello this is the one text that has to go")
    holder = {"a": value, "b": ["hello this is the one text that has to go", value]}
    kept = found.scrubbed(holder)
    assert not found.in_value(kept)
    assert kept["a"] == value


def test_a_page_loses_the_piece_and_keeps_the_rest() -> None:
    page = f"<h1>Report</h1><p class=x>{html.escape(TEXT)}</p><p>Fine.</p>"
    assert (
        traces().redacted(page)
        == "<h1>Report</h1><p class=x>(forgotten)</p><p>Fine.</p>"
    )


def test_folding_is_the_same_for_what_retyping_changes() -> None:
    assert folded("Don’t  PANIC — it’s\nＦine") == folded("don't panic, it's fine")
    assert text_sha256("Good pot!") == text_sha256("good POT")
