"""The answer's facts: from the model alone, with reviews beside it, and honest about what is missing."""

import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kindling.client.schemas import AnalyzeAnswer, SearchAnswer, SimilarReview
from kindling.errors import DataError, TransientError
from kindling.records import SENTIMENTS
from kindling.retrieval.rerank import Query
from kindling.serving.neighbours import WORDS, Neighbours
from kindling.serving.predictor import Predictor
from kindling.serving.questions import Analyze, Search
from kindling.serving.summary import summarise
from kindling.serving.worker import Desk, Question


def review(sentiment: str, number: int = 0) -> SimilarReview:
    return SimilarReview(
        review_id=f"r{number}",
        text="t",
        rating=3,
        sentiment=sentiment,
        score=0.5,  # type: ignore[arg-type]
        similarity=0.5,
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
        seen = [image if self._sees else None for image in images]
        if (None, None) in zip(texts, seen, strict=True):
            raise DataError("a row has no text")
        modality = tuple(
            "text+image" if text and image else "image" if image else "text"
            for text, image in zip(texts, seen, strict=True)
        )
        return SimpleNamespace(
            probabilities=np.array([self._probabilities] * len(texts)),
            modality=modality,
        )


class Index:
    """What Neighbours asks of an index version."""

    version, fusion = "v1", "convex"

    def __init__(
        self, reviews: Sequence[SimilarReview] = (), error: Exception | None = None
    ) -> None:
        self._reviews, self._error = list(reviews), error

    def embed(self, texts: Sequence[str]) -> list[Query]:
        return [Query(text, np.zeros(2)) for text in texts]

    def similar(
        self, query: Query, limit: int, filters: object = None
    ) -> tuple[list[SimilarReview], bool]:
        if self._error:
            raise self._error
        return self._reviews[:limit], bool(self._reviews)

    def probe(self) -> None:
        self.similar(Query("", np.zeros(2)), 1)


def beside(*reviews: SimilarReview, error: Exception | None = None) -> Neighbours:
    return Neighbours(Index(reviews, error), ThreadPoolExecutor(1))  # type: ignore[arg-type]


def predictor(
    model: Model | None = None, search: Neighbours | None = None
) -> Predictor:
    return Predictor(model or Model(), "7", True, False, search)


def replies(asked: Predictor, *questions: Analyze | Search) -> list[Any]:
    """What a desk sends for questions that arrive together, in the order of asking."""
    served = SimpleNamespace(predictor=asked, named=lambda: {})
    sent: dict[int, Any] = {}
    arrived = threading.Semaphore(0)

    def send(consumer: int, uid: int, reply: Any, status: str) -> None:
        assert uid not in sent, "answered twice"
        sent[uid] = reply
        arrived.release()

    Desk(served, send).answer(
        [Question(0, n, time.monotonic(), one) for n, one in enumerate(questions)]
    )
    for _ in questions:
        assert arrived.acquire(timeout=10), "a question was not answered"
    return [sent[n] for n in range(len(questions))]


def answer(asked: Predictor, request: Analyze) -> AnalyzeAnswer:
    [given] = replies(asked, request)
    return AnalyzeAnswer.model_validate(
        {**given, "processing_time_ms": 1.0}, strict=True
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
    against = beside(*[review("positive", i) for i in range(5)])
    alone, with_reviews = (
        answer(predictor(search=search), Analyze("a", None, None, 5))
        for search in (None, against)
    )
    for name in ("sentiment", "confidence", "probabilities", "modality"):
        assert getattr(alone, name) == getattr(with_reviews, name)
    assert len(with_reviews.similar_reviews) == 5
    assert with_reviews.index_version == "v1"


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
    ("search", "request_", "code"),
    [
        (None, Analyze("a", None, None, 5), "no_index"),
        (
            beside(error=TransientError("down at /a/path")),
            Analyze("a", None, None, 5),
            "search_unavailable",
        ),
        (
            beside(error=ZeroDivisionError()),
            Analyze("a", None, None, 5),
            "search_unavailable",
        ),
        (beside(review("neutral")), Analyze(None, b"i", None, 5), "no_text"),
        (beside(), Analyze("a", None, None, 5), "nothing_close"),
        (beside(review("neutral")), Analyze("a", None, None, 5), None),
    ],
)
def test_a_search_that_found_nothing_is_said_by_a_code(
    search: Any, request_: Analyze, code: str | None
) -> None:
    given = answer(predictor(search=search), request_)
    assert given.search_code == code
    assert given.search_reason == (WORDS[code] if code else None)  # type: ignore[index]
    assert given.summary.n == len(given.similar_reviews) == (code is None)


def test_a_request_that_the_model_cannot_read_is_refused_and_its_neighbours_are_not() -> (
    None
):
    blind = predictor(Model(sees_images=False))
    good, bad = Analyze("a", None, None, 0), Analyze(None, b"i", None, 5)
    first, refused, last = replies(blind, good, bad, good)
    assert first["sentiment"] == last["sentiment"] == "negative"
    assert (refused.status_code, refused.detail["code"]) == (422, "unreadable")


def test_search_answers_or_says_that_it_cannot_now() -> None:
    reviews = [review("neutral", i) for i in range(5)]
    [found] = replies(predictor(search=beside(*reviews)), Search("a", 2, {}))
    whole = {**found, "processing_time_ms": 1.0}
    assert len(SearchAnswer.model_validate(whole, strict=True).results) == 2
    for search, code in (
        (None, "no_index"),
        (beside(error=TransientError("down")), "search_unavailable"),
        (beside(error=DataError("dropped")), "search_unavailable"),
    ):
        [refused] = replies(predictor(search=search), Search("a", 2, {}))
        assert (refused.status_code, refused.detail["code"]) == (503, code)


def test_the_summary_counts_and_estimates_nothing() -> None:
    summary = summarise([review("positive")] * 8 + [review("negative")] * 2)
    assert summary.counts == {"negative": 2, "neutral": 0, "positive": 8}
    assert summary.sentence == "10 similar reviews: 8 positive, 2 negative."
    assert summarise([]).model_dump() == {
        "n": 0,
        "counts": {},
        "sentence": "No similar reviews were found.",
    }


@given(st.lists(st.sampled_from(SENTIMENTS), min_size=1, max_size=50))
def test_counts_sum_to_the_number_of_reviews(sentiments: list[str]) -> None:
    summary = summarise([review(one) for one in sentiments])
    assert sum(summary.counts.values()) == summary.n == len(sentiments)
