"""From text and image to the answer: the model decides, similar reviews stand beside it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from kindling.errors import DataError, KindlingError, TransientError
from kindling.records import SENTIMENTS
from kindling.serving.intake import Analyze, Search
from kindling.serving.schemas import ServedVersions, SimilarReview
from kindling.serving.search import ReviewSearch
from kindling.serving.summary import summarise

NO_IMAGE = "no image was given"
NO_INDEX = "no index serves yet"
NOT_LOOKED_AT = "this model reads no images"


class Prediction(Protocol):
    #: [n, 3] in the order of SENTIMENTS.
    probabilities: np.ndarray
    #: "text", "image" or "text+image" a row.
    modality: Sequence[str]


class SentimentClassifier(Protocol):
    def predict(
        self, texts: Sequence[str | None], images: Sequence[bytes | None]
    ) -> Prediction: ...


@dataclass(frozen=True)
class Predictor:
    """A model and an index that serve together; frozen, so that a swap is one assignment."""

    model: SentimentClassifier
    model_version: str
    calibrated: bool
    #: None until an index was ever built.
    search: ReviewSearch | None

    def analyze(self, request: Analyze) -> dict[str, Any]:
        """The fields of AnalyzeAnswer but the time; DataError when the model can read nothing of the request."""
        prediction = self.model.predict([request.text], [request.image])
        probabilities, modality = prediction.probabilities[0], prediction.modality[0]
        best = int(probabilities.argmax())
        reviews, search_reason = self._similar(request)
        image_used = "image" in modality
        return {
            "sentiment": SENTIMENTS[best],
            "confidence": round(float(probabilities[best]), 4),
            "probabilities": {
                name: round(float(p), 4)
                for name, p in zip(SENTIMENTS, probabilities, strict=True)
            },
            "calibrated": self.calibrated,
            "modality": modality,
            "image_used": image_used,
            "image_reason": None
            if image_used
            else request.image_reason
            or (NO_IMAGE if request.image is None else NOT_LOOKED_AT),
            "model_version": self.model_version,
            "index_version": self.search.version if self.search else None,
            "similar_reviews": [review.model_dump() for review in reviews],
            "search_reason": search_reason,
            "summary": summarise(reviews).model_dump(),
        }

    def find(self, request: Search) -> dict[str, Any]:
        """The fields of SearchAnswer but the time; TransientError where nothing can be searched now."""
        if self.search is None:
            raise TransientError(NO_INDEX)
        try:
            reviews = self.search.similar(request.text, request.top_k, request.filters)
        except DataError as error:  # A version dropped under it: the next look at the alias finds another.
            raise TransientError(f"the search failed: {error}") from error
        return {
            "results": [review.model_dump() for review in reviews],
            "index_version": self.search.version,
            "fusion": self.search.fusion,
        }

    def versions(self) -> dict[str, Any]:
        return ServedVersions(
            model_version=self.model_version,
            index_version=self.search.version if self.search else None,
            fusion=self.search.fusion if self.search else None,
        ).model_dump()

    def _similar(self, request: Analyze) -> tuple[list[SimilarReview], str | None]:
        """Similar reviews, or why there was no search: the sentiment does not wait for one."""
        if request.text is None:
            return [], "there is no text to search by"
        if self.search is None:
            return [], NO_INDEX
        try:
            return self.search.similar(
                request.text, request.top_k
            ) if request.top_k else [], None
        except KindlingError as error:
            return [], f"the search failed: {error}"
