"""Copies, collapse, lost sentiment and harm are measured as what they are."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kindling.challenge.admission import (
    Evidence,
    Limits,
    batch_reason,
    findings,
    row_reasons,
)
from kindling.challenge.coherence import word_salad
from kindling.challenge.discriminator import Separability
from kindling.challenge.diversity import Diversity, diversity
from kindling.challenge.leaks import label_leaks, length_leaks
from kindling.challenge.memorisation import Copying, copying, nearest_before
from kindling.challenge.sentiment import (
    Adherence,
    Answers,
    adherence,
    answers_of,
    missed,
)
from kindling.challenge.utility import Batch, Plan, Utility, utility
from kindling.errors import DataError
from kindling.measure.copying import five_grams, overlap
from kindling.measure.data_hash import data_hash
from kindling.measure.estimates import share
from kindling.records import SENTIMENTS, Estimate, sentiment_of

LIMITS = Limits(max_score=0.98, max_copy_rate=0.6, contradiction=0.9)


def estimate(value, low, high):
    return Estimate(value, 100, low, high, "0" * 64)


def gain(verdict):
    either = estimate(0.6, 0.5, 0.7)
    none = estimate(0.0, -0.1, 0.1)
    weight = 0.0 if verdict == "harms" else 0.5
    return Utility(verdict, weight, either, either, none, none, None, {0.5: none}, 1.0)


def separability(verdict):
    return Separability(
        verdict, estimate(0.5, 0.4, 0.6), estimate(0.5, 0.4, 0.6), 0.5, 0.5, 0.5
    )


def intents(rows):
    return [sentiment_of(row.rating) for row in rows]


def test_a_copier_is_caught_and_a_newcomer_is_not(reviews):
    real, fresh = (
        [row.text for row in reviews(200, 1)],
        [row.text for row in reviews(50, 2, "syn-")],
    )
    copied = copying(real[:50], real)
    assert copied.copy_rate.min() == copied.nearest_jaccard.min() == 1
    new = copying(fresh, real)
    assert new.copy_rate.max() < 0.2 and new.nearest_jaccard.max() < 0.6


def test_a_copy_that_was_retouched_is_still_a_copy(reviews):
    real = [row.text for row in reviews(100, 1)]
    words = real[7].split()
    words[len(words) // 2] = "unheard"
    found = copying([" ".join(words).upper()], real)
    assert found.copy_rate[0] > 0.6 and found.nearest_jaccard[0] > 0.8


TEXT = st.lists(st.sampled_from("abc"), min_size=1, max_size=12).map(" ".join)
TEXTS = st.lists(TEXT, min_size=1, max_size=6)


@given(TEXTS, TEXTS)
def test_overlap_is_the_largest_share_of_five_grams(rows, others):
    rates, where = overlap(rows, others)
    for row, rate, most in zip(rows, rates, where, strict=True):
        own = set(five_grams(row))
        shares = [len(own & set(five_grams(other))) / len(own) for other in others]
        assert rate == pytest.approx(max(shares))
        assert shares[most] == pytest.approx(max(shares))


def test_a_collapsed_generator_is_caught_and_real_rows_are_not(reviews):
    real = [row.text for row in reviews(300, 1)]
    rng = np.random.default_rng(0)
    few = diversity(
        [real[number % 5] + f" {number}" for number in range(100)], real, rng
    )
    assert few.collapsed and few.self_overlap > 0.9
    repeats = diversity(["The same words again and again."] * 3 + real[:10], real, rng)
    assert repeats.repeats.tolist()[:3] == [False, True, True] and repeats.collapsed
    many = diversity([row.text for row in reviews(100, 2, "syn-")], real, rng)
    assert not many.collapsed and many.self_overlap < 0.2


def test_adherence_sees_rows_that_say_the_opposite(reviews):
    real, synthetic = reviews(400, 1), reviews(90, 2, "syn-")
    kept = adherence(real, synthetic, intents(synthetic), (), 0)
    assert (
        kept.keeps_polarity[kept.polar].mean() > 0.9
        and not kept.contradicted(0.9).any()
    )
    flipped = [
        "positive" if one == "negative" else "negative" for one in intents(synthetic)
    ]
    lost = adherence(real, synthetic, flipped, (), 0)
    polar = np.array(intents(synthetic)) != "neutral"
    assert (
        lost.keeps_polarity[polar].mean() < 0.1
        and lost.contradicted(0.6)[polar].mean() > 0.5
    )


def test_the_sentiment_model_learns_from_rows_that_are_no_source(reviews):
    real, synthetic = reviews(400, 1), reviews(30, 2, "syn-")
    sources = {row.review_id for row in real[:100]}
    poisoned = [replace(row, rating=6 - row.rating) for row in real[:100]] + real[100:]
    clean = adherence(real, synthetic, intents(synthetic), sources, 0)
    same = adherence(poisoned, synthetic, intents(synthetic), sources, 0)
    assert np.allclose(same.probabilities, clean.probabilities)
    assert "no source" in clean.trained_on
    everything = {row.review_id for row in real}
    assert (
        "all real rows"
        in adherence(real, synthetic, intents(synthetic), everything, 0).trained_on
    )


PLAN = Plan((0.5, 1.0), 0.5, 3, ("Skirts",), 0)


def batch(rows, intended=None):
    return Batch(rows, intended or intents(rows), [()] * len(rows))


def noisy(rows, share):
    """Stars drawn anew for this share of the rows."""
    rng = np.random.default_rng(5)
    return [
        replace(row, rating=int(rng.choice([1, 3, 5]))) if rng.random() < share else row
        for row in rows
    ]


def test_clean_rows_help_where_real_stars_are_noise_and_false_ones_harm(reviews):
    real = noisy(reviews(200, 1, products=100), 0.55)
    synthetic = reviews(600, 3, "syn-")
    honest = utility(real, batch(synthetic), PLAN)
    assert honest.verdict == "helps" and honest.weight in PLAN.weights
    assert honest.difference.low > 0 and honest.over_duplicates.low > 0
    assert honest.niche_difference.n == sum(row.category == "Skirts" for row in real)
    wrong = {"negative": "positive", "neutral": "negative", "positive": "neutral"}
    lies = [wrong[one] for one in intents(synthetic)]
    lying = utility(reviews(240, 1), batch(synthetic, lies), replace(PLAN, niche=()))
    assert (lying.verdict, lying.weight) == ("harms", 0.0)
    assert lying.difference.high < 0 and lying.niche_difference is None


@pytest.mark.parametrize("count", [30, 300])
def test_real_rows_said_twice_are_not_known_to_help(reviews, count):
    """What duplicates do is no merit of the generator, however many rows judge it."""
    real = reviews(count, 1)
    found = utility(real, batch(real[: count // 3]), PLAN)
    assert found.verdict == "not known" and found.weight == PLAN.usual


def test_rows_made_from_a_tested_product_are_left_out(reviews):
    real, synthetic = reviews(120, 1), reviews(60, 2, "syn-")
    sources = [(real[number].review_id,) for number in range(60)]
    found = utility(real, Batch(synthetic, intents(synthetic), sources), PLAN)
    assert found.used_share == pytest.approx(2 / 3, abs=0.05)
    everywhere = [tuple(row.review_id for row in real)] * 60
    none = utility(real, Batch(synthetic, intents(synthetic), everywhere), PLAN)
    assert none.used_share == 0 and none.difference.value == 0


def test_one_sentiment_teaches_nothing(reviews):
    rows = [replace(row, rating=5) for row in reviews(30, 1)]
    with pytest.raises(DataError, match="positive"):
        utility(rows, batch(rows), PLAN)


@pytest.mark.parametrize(
    ("verdict", "reason"), [("helps", ""), ("not known", ""), ("harms", "batch_harms")]
)
def test_a_batch_is_refused_where_harm_is_shown(verdict, reason):
    assert batch_reason(separability("told apart"), gain(verdict)) == reason


def test_tokens_that_tell_the_sentiment_are_named(reviews):
    real, synthetic = reviews(300, 1), reviews(120, 2, "syn-")
    truth = np.array([SENTIMENTS.index(one) for one in intents(real)])
    intended = np.array([SENTIMENTS.index(one) for one in intents(synthetic)])
    others, texts = [row.text for row in real], [row.text for row in synthetic]
    leaks, rows = label_leaks(texts, intended, others, truth)
    assert leaks == () and not rows.any()
    leaked = [
        f"{text} Zounds" if code == 2 else text
        for text, code in zip(texts, intended, strict=True)
    ]
    leaks, rows = label_leaks(leaked, intended, others, truth)
    assert {leak.token for leak in leaks} >= {"zounds"}
    assert {leak.sentiment for leak in leaks} == {2}
    assert (rows == (intended == 2)).all()


def test_lengths_that_real_rows_have_not_are_told(reviews):
    real, synthetic = reviews(300, 1), reviews(120, 2, "syn-")
    truth = np.array([SENTIMENTS.index(one) for one in intents(real)])
    intended = np.array([SENTIMENTS.index(one) for one in intents(synthetic)])
    others, texts = [row.text for row in real], [row.text for row in synthetic]
    assert not length_leaks(texts, intended, others, truth)[1].any()
    short = [
        " ".join(text.split()[:6]) if code == 0 else text
        for text, code in zip(texts, intended, strict=True)
    ]
    assert (length_leaks(short, intended, others, truth)[1] == (intended == 0)).all()


def grammatical(count, seed):
    """Sentences whose words follow one another as they do nowhere else."""
    rng = np.random.default_rng(seed)
    who = ("the cat", "my old dog", "a small bird", "our neighbour")
    does = ("sat on", "ran around", "looked under", "slept beside")
    what = ("the red chair", "a garden wall", "that wooden table", "the warm stove")
    return [
        " and ".join(
            f"{rng.choice(who)} {rng.choice(does)} {rng.choice(what)}" for _ in range(5)
        )
        for _ in range(count)
    ]


def test_word_salad_is_told_from_sentences():
    real, fresh = grammatical(300, 1), grammatical(80, 2)
    rng = np.random.default_rng(0)
    salad = [" ".join(rng.permutation(text.split())) for text in fresh]
    assert word_salad(salad, real).mean() > 0.95
    assert word_salad(fresh, real).mean() < 0.05


def test_a_sentiment_that_was_asked_and_not_written_is_missed(reviews):
    real, synthetic = reviews(400, 1), reviews(120, 2, "syn-")
    truth = np.array([SENTIMENTS.index(one) for one in intents(real)])
    answers = answers_of(real, synthetic, [()] * 120, 3, 0)
    intended = np.array([SENTIMENTS.index(one) for one in intents(synthetic)])
    alike = np.arange(len(truth))
    assert not missed(answers, intended, truth, alike)[1].any()
    asked = np.where(intended == 1, 0, intended)
    chances, refused = missed(answers, asked, truth, alike)
    assert chances[0] < 0.4 < chances[2]
    assert (refused == (asked == 0)).all()


def graded(count: int, sentiment: int, apart: float, seed: int) -> np.ndarray:
    """Probabilities of rows whose own sentiment is told with little certainty."""
    logits = np.random.default_rng(seed).normal(size=(count, 3))
    logits[:, sentiment] += apart
    return np.exp(logits) / np.exp(logits).sum(1, keepdims=True)


@pytest.mark.parametrize(("share", "caught"), [(0.0, False), (0.6, True), (1.0, True)])
def test_rows_passed_off_as_another_sentiment_are_found_though_a_model_tells_it_badly(
    share: float, caught: bool
) -> None:
    """Neutral reviews asked for as negative: on real ones a plain model's AUC is .65."""
    truth = np.repeat([0, 1, 2], 400)
    real = np.concatenate([graded(400, one, 0.6, one) for one in range(3)])
    passed = int(200 * share)
    asked = [graded(200 - passed, 0, 0.6, 7), graded(passed, 1, 0.6, 8)]
    answers = Answers(real, np.concatenate(asked))
    asked_negative = np.zeros(200, dtype=int)
    # Real rows are chosen by what was asked: there may be no neutral one among them.
    for alike in (np.arange(1200), np.arange(400)):
        _, refused = missed(answers, asked_negative, truth, alike)
        assert refused.all() if caught else not refused.any()


def test_a_text_with_words_of_its_own_repeats_the_one_before(reviews):
    texts = [row.text for row in reviews(40, 1)]
    near = nearest_before([*texts, f"{texts[3]} bokala lurosi", texts[5]])
    assert near[:40].max() < 0.5 < near[40] < near[41] == 1


def test_an_invalid_discriminator_admits_nothing():
    reason = batch_reason(separability("invalid discriminator"), gain("helps"))
    assert reason == "invalid_discriminator"


def evidence():
    """Six rows: a near-copy that is all else too, a repeat, an off-sentiment one, an easy one, two good."""
    opposite, agrees, unsure = [0.95, 0.03, 0.02], [0, 0, 1], [0.4, 0.2, 0.4]
    probabilities = np.array([opposite, agrees, opposite, agrees, agrees, unsure])
    return Evidence(
        np.array([0.99, 0.99, 0.99, 0.99, 0.98, 0.1]),
        Copying(np.array([0.61, 0.6, 0.6, 0.6, 0.6, 0.0]), np.zeros(6)),
        Diversity(0.5, 0.5, 0.1, np.array([True, True, False, False, False, False])),
        Adherence(probabilities, np.full(6, 2), "real rows"),
    )


def test_each_row_is_refused_for_its_gravest_fault():
    expected = ["near_copy", "repeats_another", "off_sentiment", "easily_told", "", ""]
    assert row_reasons(evidence(), LIMITS) == expected


@pytest.mark.parametrize(("copies", "refused"), [(1, 1), (3, 6)])
def test_of_a_generator_known_to_copy_rows_a_little_further_off_are_copies_too(
    copies: int, refused: int
) -> None:
    """Every third word changed leaves some rows below the limit and none as far off as real ones."""
    near = np.where(np.arange(6) < copies, 0.4, 0.25)
    found = replace(evidence(), copying=Copying(np.zeros(6), near))
    assert row_reasons(found, LIMITS).count("near_copy") == refused


def test_findings_name_what_the_generator_did():
    named = findings(separability("told apart"), evidence(), gain("harms"), LIMITS)
    assert named == ["told_apart", "memorises", "mode_collapse", "harms"]


@given(st.lists(st.booleans(), min_size=1, max_size=40))
def test_a_share_lies_in_its_interval(hits):
    found = share(np.array(hits), "0" * 64)
    assert found.n == len(hits) and 0 <= found.low and found.high <= 1
    assert found.low - 1e-12 <= found.value <= found.high + 1e-12


def test_the_data_hash_knows_rows_and_not_their_order():
    rows = [("a", "x"), ("b", "y")]
    assert data_hash(rows) == data_hash(rows[::-1])
    assert data_hash(rows) != data_hash([("a", "y"), ("b", "x")])
