"""What the bundled catalogue promises: the same every time, difficult on purpose, its truth consistent."""

from collections import Counter

import numpy as np
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score
from sklearn.model_selection import GroupKFold

from shop.bundled.assortment import SIZES
from shop.bundled.making import STARS, bundled
from shop.bundled.vocabulary import categories
from shop.records import Contents, photo_agrees, sentiment_of
from shop.web.layouts import LAYOUTS, layout_of

SEED = 20261121


@pytest.fixture(scope="module")
def demo() -> Contents:
    return bundled("bundled-demo", SEED)


def test_the_same_seed_makes_the_same_and_another_does_not(smoke: Contents) -> None:
    again, other = bundled("bundled-smoke", SEED), bundled("bundled-smoke", SEED + 1)
    assert (smoke.products, smoke.reviews, smoke.truths) == (
        again.products,
        again.reviews,
        again.truths,
    )
    name = next(review.photo for review in smoke.reviews if review.photo)
    assert smoke.photos[name]() == again.photos[name]()
    assert [review.body for review in other.reviews] != [
        review.body for review in smoke.reviews
    ]


@pytest.mark.parametrize("kind", SIZES)
def test_counts_and_niches(kind: str, smoke: Contents, demo: Contents) -> None:
    contents = smoke if kind == "bundled-smoke" else demo
    category_of = {
        product.product_id: product.category for product in contents.products
    }
    for name, shelf in SIZES[kind].shelves.items():
        assert (
            sum(category == name for category in category_of.values()) == shelf.products
        )
        assert (
            sum(category_of[review.product_id] == name for review in contents.reviews)
            == shelf.reviews
        )
    assert set(contents.niches) <= set(category_of.values())
    assert {layout_of(product_id) for product_id in category_of} == set(LAYOUTS)
    assert len({review.review_id for review in contents.reviews}) == len(
        contents.reviews
    )
    assert set(category_of) == {review.product_id for review in contents.reviews}


def test_stars_lean_to_the_good_as_in_real_shops(demo: Contents) -> None:
    stars = Counter(review.rating for review in demo.reviews)
    for rating, share in STARS.items():
        assert stars[rating] / len(demo.reviews) == pytest.approx(share, abs=0.04)
    assert (
        0.4
        < sum(review.photo is not None for review in demo.reviews) / len(demo.reviews)
        < 0.5
    )


def test_truth_fits_what_is_served(smoke: Contents) -> None:
    products = {product.product_id: product for product in smoke.products}
    assert [truth.review_id for truth in smoke.truths] == [
        review.review_id for review in smoke.reviews
    ]
    for review, truth in zip(smoke.reviews, smoke.truths, strict=True):
        assert (
            (review.photo is None)
            == (truth.condition is None)
            == (truth.base_photo is None)
        )
        if truth.condition is not None:
            assert truth.base_photo in products[review.product_id].photos
            assert truth.agrees is photo_agrees(
                truth.sentiment, truth.condition, truth.claimed
            )
        assert (truth.style == "empty") == (review.body == "")
        if truth.claimed is not None:
            assert truth.sentiment != "positive"
    assert {review.photo for review in smoke.reviews if review.photo} < set(
        smoke.photos
    )


def test_a_claimed_damage_is_told(demo: Contents) -> None:
    category_of = {
        product.product_id: categories()[product.category] for product in demo.products
    }
    told = 0
    claims = [
        (r, t.claimed)
        for r, t in zip(demo.reviews, demo.truths, strict=True)
        if t.claimed is not None
    ]
    for review, claimed in claims:
        words = [
            set(line.lower().split())
            for line in category_of[review.product_id].damage[claimed]
        ]
        told += any(
            len(line & set(review.body.lower().replace(".", " ").split()))
            >= 0.6 * len(line)
            for line in words
        )
    assert told / len(claims) > 0.95  # typing errors and "&" hide a few


def test_the_photo_informs_and_does_not_decide(demo: Contents) -> None:
    damaged = {sentiment: [] for sentiment in ("negative", "neutral", "positive")}
    for truth in demo.truths:
        if truth.condition is not None:
            damaged[truth.sentiment].append(truth.condition != "intact")
    shares = {sentiment: float(np.mean(rows)) for sentiment, rows in damaged.items()}
    assert shares["negative"] == pytest.approx(0.65, abs=0.08)
    assert shares["neutral"] == pytest.approx(0.2, abs=0.08)
    assert 0 < shares["positive"] < 0.08
    assert any(truth.agrees is False for truth in demo.truths)


def test_planted_copies_are_copies_and_opposites_are_not(demo: Contents) -> None:
    reviews = {review.review_id: review for review in demo.reviews}
    kinds = Counter(truth.duplicate for truth in demo.truths if truth.duplicate_of)
    assert kinds["exact"] >= 20 and kinds["near"] >= 20 and kinds["opposite"] >= 2
    for truth in demo.truths:
        if truth.duplicate_of is None:
            continue
        copy, source = reviews[truth.review_id], reviews[truth.duplicate_of]
        same_side = sentiment_of(copy.rating) == sentiment_of(source.rating)
        assert (copy.body == source.body) == (truth.duplicate == "exact")
        assert same_side == (truth.duplicate != "opposite")


def test_text_can_be_learned_and_not_solved(demo: Contents) -> None:
    """TF-IDF and logistic regression over held-out products: good, and well below perfect.

    One review in seven points at its photo and says no more; without them a text tells nearly all.
    """
    text = np.array([f"{review.title}. {review.body}" for review in demo.reviews])
    truth = np.array([sentiment_of(review.rating) for review in demo.reviews])
    product = np.array([review.product_id for review in demo.reviews])
    told = np.array([truth.style != "see photo" for truth in demo.truths])
    assert 0.80 < told.mean() < 0.92
    assert (
        0.80
        < _macro_f1(*(column[truth != "neutral"] for column in (text, truth, product)))
        < 0.9
    )
    assert (
        0.87
        < _macro_f1(
            *(column[told & (truth != "neutral")] for column in (text, truth, product))
        )
        < 0.96
    )
    assert 0.70 < _macro_f1(*(column[told] for column in (text, truth, product))) < 0.87


def _macro_f1(text: np.ndarray, truth: np.ndarray, product: np.ndarray) -> float:
    told = np.empty_like(truth)
    for train, test in GroupKFold(3).split(text, truth, product):
        words = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, min_df=2)
        model = LogisticRegression(C=4, max_iter=500, class_weight="balanced")
        model.fit(words.fit_transform(text[train]), truth[train])
        told[test] = model.predict(words.transform(text[test]))
    return float(f1_score(truth, told, average="macro"))
