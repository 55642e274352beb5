"""The answer's facts: from the model alone, with reviews beside it, and honest about what is missing."""

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kindling.errors import DataError, TransientError
from kindling.records import SENTIMENTS
from kindling.serving.intake import Analyze, Search
from kindling.serving.predictor import Predictor
from kindling.serving.schemas import AnalyzeAnswer, SearchAnswer, SimilarReview
from kindling.serving.summary import summarise


def review(sentiment: str, number: int = 0) -> SimilarReview:
    return SimilarReview(
        review_id=f"r{number}",
        text="t",
        rating=3,
        sentiment=sentiment,
        score=0.5,  # type: ignore[arg-type]
        product_id="p",
        category="c",
    )


class Model:
    def __init__(
        self, probabilities: Sequence[float] = (0.7, 0.2, 0.1), sees_images: bool = True
    ) -> None:
        self._probabilities, self._sees = probabilities, sees_images

    def predict(
        self, texts: Sequence[str | None], images: Sequence[bytes | None]
    ) -> Any:
        kinds = [
            name
            for name, given in (
                ("text", texts[0]),
                ("image", images[0] if self._sees else None),
            )
            if given
        ]
        if not kinds:
            raise DataError("row 0 has no text")
        return SimpleNamespace(
            probabilities=np.array([self._probabilities]), modality=("+".join(kinds),)
        )


class Found:
    version, fusion = "v1", "convex"

    def __init__(
        self, reviews: Sequence[SimilarReview] = (), error: Exception | None = None
    ) -> None:
        self._reviews, self._error = list(reviews), error

    def similar(
        self, text: str, limit: int, filters: object = None
    ) -> list[SimilarReview]:
        if self._error:
            raise self._error
        return self._reviews[:limit]


def predictor(model: Model | None = None, search: Any = None) -> Predictor:
    return Predictor(model or Model(), "7", True, search)


def answer(asked: Predictor, request: Analyze) -> AnalyzeAnswer:
    return AnalyzeAnswer.model_validate(
        {**asked.analyze(request), "processing_time_ms": 1.0}, strict=True
    )


@pytest.mark.parametrize(
    ("probabilities", "sentiment"),
    [
        ((0.7, 0.2, 0.1), "negative"),
        ((0.2, 0.7, 0.1), "neutral"),
        ((0.1, 0.2, 0.7), "positive"),
    ],
)
def test_the_sentiment_is_the_models(
    probabilities: tuple[float, ...], sentiment: str
) -> None:
    given = answer(predictor(Model(probabilities)), Analyze("a", None, None, 5))
    assert (
        given.sentiment == sentiment
        and given.confidence == given.probabilities[sentiment] == 0.7
    )  # type: ignore[index]
    assert list(given.probabilities) == list(SENTIMENTS) and given.model_version == "7"


def test_similar_reviews_never_change_the_sentiment() -> None:
    against = Found([review("positive", i) for i in range(5)])
    alone, beside = (
        predictor(search=search).analyze(Analyze("a", None, None, 5))
        for search in (None, against)
    )
    same = ("sentiment", "confidence", "probabilities", "modality")
    assert [alone[name] for name in same] == [beside[name] for name in same]
    assert len(beside["similar_reviews"]) == 5 and beside["index_version"] == "v1"


@pytest.mark.parametrize(
    ("model", "request_", "used", "reason"),
    [
        (Model(), Analyze("a", b"i", None, 1), True, None),
        (Model(), Analyze(None, b"i", None, 1), True, None),
        (Model(), Analyze("a", None, None, 1), False, "no image was given"),
        (Model(), Analyze("a", None, "it is gone", 1), False, "it is gone"),
        (
            Model(sees_images=False),
            Analyze("a", b"i", None, 1),
            False,
            "this model reads no images",
        ),
    ],
)
def test_it_says_whether_the_image_was_used(
    model: Model, request_: Analyze, used: bool, reason: str | None
) -> None:
    given = answer(predictor(model), request_)
    assert (given.image_used, given.image_reason) == (used, reason)
    assert ("image" in given.modality) == used


@pytest.mark.parametrize(
    ("search", "request_", "reason"),
    [
        (None, Analyze("a", None, None, 5), "no index serves yet"),
        (
            Found(error=TransientError("down")),
            Analyze("a", None, None, 5),
            "the search failed: down",
        ),
        (
            Found([review("neutral")]),
            Analyze(None, b"i", None, 5),
            "there is no text to search by",
        ),
        (Found([review("neutral")]), Analyze("a", None, None, 5), None),
    ],
)
def test_a_search_that_was_not_made_is_said(
    search: Any, request_: Analyze, reason: str | None
) -> None:
    given = answer(predictor(search=search), request_)
    assert given.search_reason == reason and given.summary.n == len(
        given.similar_reviews
    ) == (reason is None)


def test_a_request_that_the_model_cannot_read() -> None:
    with pytest.raises(DataError):
        predictor(Model(sees_images=False)).analyze(Analyze(None, b"i", None, 5))


def test_search_answers_or_says_that_it_cannot_now() -> None:
    found = predictor(search=Found([review("neutral", i) for i in range(5)])).find(
        Search("a", 2, {})
    )
    assert (
        len(
            SearchAnswer.model_validate(
                {**found, "processing_time_ms": 1.0}, strict=True
            ).results
        )
        == 2
    )
    for search in (
        None,
        Found(error=TransientError("down")),
        Found(error=DataError("dropped")),
    ):
        with pytest.raises(TransientError):
            predictor(search=search).find(Search("a", 2, {}))


def test_the_summary_by_hand() -> None:
    summary = summarise([review("positive")] * 8 + [review("negative")] * 2)
    positive = summary.shares["positive"]
    assert summary.n == 10 and positive.share == 0.8
    # Wilson 1927 for 8 of 10 at 95 %.
    assert (positive.low, positive.high) == pytest.approx((0.4902, 0.9433), abs=1e-4)
    assert summary.sentence == (
        "10 similar reviews: 80% positive (49% to 94%), 20% negative (6% to 51%), "
        "0% neutral (0% to 28%); 95 % intervals."
    )


def test_the_summary_of_nothing() -> None:
    assert summarise([]).model_dump() == {
        "n": 0,
        "shares": {},
        "sentence": "No similar reviews were found.",
    }


@given(st.lists(st.sampled_from(SENTIMENTS), min_size=1, max_size=50))
def test_shares_sum_to_one_inside_their_intervals(sentiments: list[str]) -> None:
    shares = summarise([review(one) for one in sentiments]).shares
    assert sum(share.share for share in shares.values()) == pytest.approx(1, abs=1e-3)
    assert all(
        0 <= share.low <= share.share <= share.high <= 1 for share in shares.values()
    )
