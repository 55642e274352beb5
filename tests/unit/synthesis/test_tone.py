"""Tone is read from other reviews than the sentence's own, and unequal classes do not tilt it."""

import numpy as np

from kindling.records import Review
from kindling.synthesis.sentences import fragments
from kindling.synthesis.tone import ToneModel


def scores(corpus: list[Review], *extra: Review) -> dict[str, float]:
    pieces = [piece for piece in fragments(extra) if piece.position != "title"]
    return dict(
        zip(
            [piece.text for piece in pieces],
            ToneModel.fit([*corpus, *extra]).score(pieces),
            strict=True,
        )
    )


def test_sentences_are_judged_by_their_words_not_their_stars(
    corpus: list[Review],
) -> None:
    mixed = Review(
        "x",
        "p",
        "Lamps",
        "",
        "It is a lovely and elegant thing. Sadly the colour is flimsy and ugly.",
        5,
        "scraped",
    )
    praise, complaint = scores(corpus, mixed).values()
    assert praise > 1
    assert complaint < -1


def test_a_sentence_does_not_vouch_for_itself(corpus: list[Review]) -> None:
    for rating in (1, 5):
        odd = Review(
            "x", "p", "Lamps", "", "Zyx qwv jkl mnb vfr tgb.", rating, "scraped"
        )
        assert abs(next(iter(scores(corpus, odd).values()))) < 0.5


def test_unequal_classes_do_not_tilt_neutral_words() -> None:
    rng = np.random.default_rng(0)
    words = [f"word{n}" for n in range(60)]
    rows = [
        Review(
            f"r{n}",
            "p",
            "c",
            "",
            " ".join(rng.choice(words, 20)) + ".",
            1 if n < 40 else 5,
            "scraped",
        )
        for n in range(600)
    ]
    pieces = fragments(rows)
    found = ToneModel.fit(rows).score(pieces)
    assert abs(np.mean(found)) < 0.5
    # Left-out scores of meaningless sentences know nothing of the stars.
    assert abs(np.mean(found[:40]) - np.mean(found[40:])) < 1


def test_one_sided_corpora_are_no_error() -> None:
    rows = [Review("r", "p", "c", "", "It is fine and good.", 5, "scraped")]
    assert np.isfinite(ToneModel.fit(rows).score(fragments(rows))).all()
