"""Intervals: reproducible, clustered, paired, and never of rows that do not count."""

import dataclasses

import numpy as np
import pytest

from kindling.errors import DataError
from kindling.measure.estimates import difference, estimate, resampled
from kindling.measure.metrics import ACCURACY, LOG_LOSS, POLARITY, THREE_WAY
from kindling.measure.sample import Sample


def test_estimate_carries_value_n_interval_and_hash(sample: Sample, predict) -> None:
    said = predict(sample.truth, 1.5)
    found = estimate(THREE_WAY, sample, said)
    assert found.value == THREE_WAY(sample.truth, said) and found.n == len(sample)
    assert found.low < found.value < found.high and found.data_sha256 == sample.sha256


def test_polarity_counts_polar_rows_alone(sample: Sample, predict) -> None:
    polar = sample.where(sample.truth != 1)
    found = estimate(POLARITY, sample, predict(sample.truth, 1.5))
    assert (found.n, found.data_sha256) == (len(polar), polar.sha256)


def test_the_interval_does_not_depend_on_the_order_of_rows(
    sample: Sample, predict
) -> None:
    said, order = (
        predict(sample.truth, 1.0),
        np.random.default_rng(0).permutation(len(sample)),
    )
    turned = Sample(
        sample.truth[order],
        sample.products[order],
        tuple(sample.digests[row] for row in order),
    )
    again = estimate(THREE_WAY, turned, said[order])
    once = estimate(THREE_WAY, sample, said)
    assert dataclasses.asdict(again) == pytest.approx(dataclasses.asdict(once))


def test_copies_within_products_do_not_narrow_the_interval(
    sample: Sample, predict
) -> None:
    said = predict(sample.truth, 1.0)
    tripled = Sample(
        np.tile(sample.truth, 3), np.tile(sample.products, 3), sample.digests * 3
    )
    once, thrice = (
        estimate(ACCURACY, one, probabilities)
        for one, probabilities in ((sample, said), (tripled, np.tile(said, (3, 1))))
    )
    assert (thrice.low, thrice.high) == pytest.approx((once.low, once.high))


def test_too_few_products_have_no_interval_and_say_so(sample: Sample, predict) -> None:
    said = predict(sample.truth, 1.0)
    for products in (1, 4):
        few = dataclasses.replace(sample, products=np.arange(len(sample)) % products)
        found = estimate(ACCURACY, few, said)
        assert (found.low, found.high) == (0, 1)
        assert str(found).startswith(f"too few products ({products}, in effect")
        apart = difference(ACCURACY, few, said, predict(sample.truth, 0.5))
        assert (apart.low, apart.high) == (-1, 1) and apart.refused
    whole = estimate(ACCURACY, sample, said)
    assert whole.high - whole.low > 0.03 and not whole.refused


def test_one_large_product_is_one_product(sample: Sample, predict) -> None:
    """Twenty products of which one has nearly all the rows tell as much as two."""
    lopsided = np.where(np.arange(len(sample)) < 20, np.arange(len(sample)), 20)
    found = estimate(
        ACCURACY,
        dataclasses.replace(sample, products=lopsided),
        predict(sample.truth, 1),
    )
    assert found.products == 21 and found.in_effect < 2 and found.refused


def test_all_right_is_not_certainly_right(sample: Sample) -> None:
    found = estimate(ACCURACY, sample, np.eye(3)[sample.truth])
    assert found.value == found.high == 1 and 0.95 < found.low < 0.999


def test_what_is_detectable_is_wider_than_the_interval_is_half(
    sample: Sample, predict
) -> None:
    found = difference(
        ACCURACY, sample, predict(sample.truth, 1.0), predict(sample.truth, 0.9, seed=8)
    )
    assert found.detectable > (found.high - found.low) / 2


def test_an_interval_of_what_is_no_sum_is_drawn_within_its_strata() -> None:
    rng = np.random.default_rng(0)
    found = resampled(
        lambda a, b: float(b.mean() - a.mean()),
        [rng.normal(0, 1, 200), rng.normal(1, 1, 100)],
        300,
        "0" * 64,
        0,
    )
    assert found.n == 300 and 0.6 < found.low < found.value < found.high < 1.4


def test_a_model_does_not_differ_from_itself(sample: Sample, predict) -> None:
    said = predict(sample.truth, 1.0)
    found = difference(THREE_WAY, sample, said, said.copy())
    assert (found.value, found.low, found.high) == (0, 0, 0)


def test_difference_is_antisymmetric_and_paired(sample: Sample, predict) -> None:
    better, worse = predict(sample.truth, 2.0), predict(sample.truth, 1.0)
    one, other = (
        difference(THREE_WAY, sample, better, worse),
        difference(THREE_WAY, sample, worse, better),
    )
    assert (one.value, one.low, one.high) == pytest.approx(
        (-other.value, -other.high, -other.low)
    )
    assert one.low > 0
    widths = [
        found.high - found.low
        for found in (
            estimate(THREE_WAY, sample, better),
            estimate(THREE_WAY, sample, worse),
        )
    ]
    assert one.high - one.low < sum(widths)


def test_several_others_are_averaged(sample: Sample, predict) -> None:
    ours, others = (
        predict(sample.truth, 2.0),
        [predict(sample.truth, skill) for skill in (0.5, 1.0)],
    )
    both = difference(LOG_LOSS, sample, ours, others)
    each = [difference(LOG_LOSS, sample, ours, other).value for other in others]
    assert both.value == pytest.approx(np.mean(each))


def test_a_stricter_level_is_wider(sample: Sample, predict) -> None:
    pair = predict(sample.truth, 1.0), predict(sample.truth, 0.9, seed=8)
    usual, strict = (
        difference(ACCURACY, sample, *pair),
        difference(ACCURACY, sample, *pair, level=0.995),
    )
    assert strict.low < usual.low and usual.high < strict.high


def test_no_row_that_counts_is_an_error(sample: Sample) -> None:
    neutral = sample.where(sample.truth == 1)
    with pytest.raises(DataError, match="none of the"):
        estimate(POLARITY, neutral, np.full((len(neutral), 3), 1 / 3))


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
