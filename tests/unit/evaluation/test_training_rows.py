"""What a model was trained on is known of it later, whatever becomes of the run."""

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from kindling.evaluation.training_rows import FILE, TrainingRows

NAMES = st.lists(st.text(min_size=1, max_size=8), max_size=20)


@given(NAMES, NAMES, NAMES)
def test_exactly_the_rows_that_were_seen_are_found(
    texts: list[str], photos: list[str], others: list[str]
) -> None:
    rows = TrainingRows.of(texts, photos)
    assert rows.saw(texts, [None] * len(texts)).all()
    assert rows.saw([""] * len(photos), photos).all()
    expected = [one in texts for one in others]
    assert rows.saw(others, [None] * len(others)).tolist() == expected


def test_a_photo_is_no_text_and_nothing_is_no_photo() -> None:
    rows = TrainingRows.of(["abc"], ["xyz"])
    assert rows.saw(["xyz", "q", "abc"], ["abc", None, None]).tolist() == [
        False,
        False,
        True,
    ]


def test_they_lie_in_the_models_folder(tmp_path: Path) -> None:
    rows = TrainingRows.of(["b", "a"], ["p"])
    rows.write(tmp_path)
    again = TrainingRows.of(["a", "b"], ["p"])
    found = TrainingRows.read(tmp_path)
    assert found is not None and (found.hashes == again.hashes).all()
    before = (tmp_path / FILE).read_bytes()
    again.write(tmp_path)
    assert (tmp_path / FILE).read_bytes() == before
    assert TrainingRows.read(tmp_path / "elsewhere") is None
