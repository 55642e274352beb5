"""Folding loses only what retyping changes, and the hashed Jaccard is the set one."""

from hypothesis import given
from hypothesis import strategies as st

from kindling.dedupe.shingles import fold, fold_many, jaccard, shingles, text_key


@given(st.text())
def test_fold_is_idempotent(text: str) -> None:
    assert fold(fold(text)) == fold(text)


@given(st.lists(st.text(alphabet="aB1 '`_!~.\t\n\0é好\x7f", max_size=12), max_size=8))
def test_many_texts_are_folded_as_each_alone(texts: list[str]) -> None:
    assert fold_many(texts) == [fold(text) for text in texts]


@given(
    st.lists(st.from_regex(r"[a-z]{1,8}", fullmatch=True), min_size=1),
    st.sampled_from(["  ", " - ", "...  ", ",\n"]),
)
def test_retyping_changes_no_key(words: list[str], joint: str) -> None:
    assert text_key(joint.join(words).upper() + "!!") == text_key(" ".join(words))


def test_what_folding_keeps() -> None:
    assert fold("Don’t  buy — it's BAD!") == fold("dont buy its bad")
    assert text_key("size 4") != text_key("size 6")
    assert text_key("👍") != text_key("👎")


@given(
    st.text(alphabet="abc d", max_size=60),
    st.text(alphabet="abc d", max_size=60),
    st.integers(2, 7),
)
def test_jaccard_is_that_of_the_gram_sets(a: str, b: str, width: int) -> None:
    def grams(text: str) -> set[str]:
        short = min(width, len(text))
        return (
            {text[i : i + short] for i in range(len(text) - short + 1)}
            if text
            else set()
        )

    union = grams(a) | grams(b)
    expected = len(grams(a) & grams(b)) / len(union) if union else 1.0
    assert jaccard(shingles(a, width), shingles(b, width)) == expected
    assert jaccard(shingles(b, width), shingles(a, width)) == expected
