"""Intervals: reproducible, clustered, paired, and never of rows that do not count."""

import dataclasses

import numpy as np
import pytest

from kindling.errors import DataError
from kindling.evaluation.bootstrap import MIN_PRODUCTS, Bootstrap
from kindling.evaluation.metrics import ACCURACY, LOG_LOSS, POLARITY, THREE_WAY
from kindling.evaluation.sample import Sample

BOOTSTRAP = Bootstrap(resamples=400, seed=3)


def test_estimate_carries_value_n_interval_and_hash(sample: Sample, predict) -> None:
    said = predict(sample.truth, 1.5)
    found = BOOTSTRAP.estimate(THREE_WAY, sample, said)
    assert found.value == THREE_WAY(sample.truth, said) and found.n == len(sample)
    assert found.low < found.value < found.high and found.data_sha256 == sample.sha256


def test_polarity_counts_polar_rows_alone(sample: Sample, predict) -> None:
    polar = sample.where(sample.truth != 1)
    found = BOOTSTRAP.estimate(POLARITY, sample, predict(sample.truth, 1.5))
    assert (found.n, found.data_sha256) == (len(polar), polar.sha256)


def test_same_seed_same_interval_in_any_order(sample: Sample, predict) -> None:
    said, order = (
        predict(sample.truth, 1.0),
        np.random.default_rng(0).permutation(len(sample)),
    )
    turned = Sample(
        sample.truth[order],
        sample.products[order],
        tuple(sample.digests[row] for row in order),
    )
    assert BOOTSTRAP.estimate(THREE_WAY, turned, said[order]) == BOOTSTRAP.estimate(
        THREE_WAY, sample, said
    )
    assert Bootstrap(400, 4).estimate(THREE_WAY, sample, said) != BOOTSTRAP.estimate(
        THREE_WAY, sample, said
    )


def test_copies_within_products_do_not_narrow_the_interval(
    sample: Sample, predict
) -> None:
    said = predict(sample.truth, 1.0)
    tripled = Sample(
        np.tile(sample.truth, 3), np.tile(sample.products, 3), sample.digests * 3
    )
    once, thrice = (
        BOOTSTRAP.estimate(ACCURACY, one, probabilities)
        for one, probabilities in ((sample, said), (tripled, np.tile(said, (3, 1))))
    )
    assert (thrice.low, thrice.high) == pytest.approx((once.low, once.high))


def test_few_products_resample_rows(sample: Sample, predict) -> None:
    single = dataclasses.replace(sample, products=np.zeros(len(sample), dtype=int))
    found = BOOTSTRAP.estimate(ACCURACY, single, predict(sample.truth, 1.0))
    assert found.high - found.low > 0.03
    assert len(np.unique(sample.products)) >= MIN_PRODUCTS


def test_a_model_does_not_differ_from_itself(sample: Sample, predict) -> None:
    said = predict(sample.truth, 1.0)
    found = BOOTSTRAP.difference(THREE_WAY, sample, said, said.copy())
    assert (found.value, found.low, found.high) == (0, 0, 0)


def test_difference_is_antisymmetric_and_paired(sample: Sample, predict) -> None:
    better, worse = predict(sample.truth, 2.0), predict(sample.truth, 1.0)
    one, other = (
        BOOTSTRAP.difference(THREE_WAY, sample, better, worse),
        BOOTSTRAP.difference(THREE_WAY, sample, worse, better),
    )
    assert (one.value, one.low, one.high) == pytest.approx(
        (-other.value, -other.high, -other.low)
    )
    assert one.low > 0
    widths = [
        found.high - found.low
        for found in (
            BOOTSTRAP.estimate(THREE_WAY, sample, better),
            BOOTSTRAP.estimate(THREE_WAY, sample, worse),
        )
    ]
    assert one.high - one.low < sum(widths)


def test_several_others_are_averaged(sample: Sample, predict) -> None:
    ours, others = (
        predict(sample.truth, 2.0),
        [predict(sample.truth, skill) for skill in (0.5, 1.0)],
    )
    both = BOOTSTRAP.difference(LOG_LOSS, sample, ours, others)
    each = [
        BOOTSTRAP.difference(LOG_LOSS, sample, ours, other).value for other in others
    ]
    assert both.value == pytest.approx(np.mean(each))


def test_a_stricter_level_is_wider(sample: Sample, predict) -> None:
    pair = predict(sample.truth, 1.0), predict(sample.truth, 0.9, seed=8)
    usual, strict = (
        BOOTSTRAP.difference(ACCURACY, sample, *pair),
        BOOTSTRAP.difference(ACCURACY, sample, *pair, level=0.995),
    )
    assert strict.low < usual.low and usual.high < strict.high


def test_no_row_that_counts_is_an_error(sample: Sample) -> None:
    neutral = sample.where(sample.truth == 1)
    with pytest.raises(DataError, match="none of the"):
        BOOTSTRAP.estimate(POLARITY, neutral, np.full((len(neutral), 3), 1 / 3))


def test_an_empty_holdout_is_an_error() -> None:
    with pytest.raises(DataError, match="empty"):
        Sample.of([])


def test_hash_covers_text_photo_and_label_but_not_order(examples) -> None:
    sha256 = Sample.of(examples).sha256
    assert Sample.of(examples[::-1]).sha256 == sha256
    for change in (
        {"text": "another"},
        {"photo_id": "another"},
        {"sentiment": "neutral"},
        {"review_id": "another"},
    ):
        changed = dataclasses.replace(
            next(one for one in examples if one.sentiment != "neutral"), **change
        )
        others = [one for one in examples if one.review_id != changed.review_id][1:]
        assert Sample.of([changed, *others]).sha256 != sha256
