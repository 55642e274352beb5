"""From text and image to the answer: the model decides, similar reviews are shown beside it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from kindling.client.schemas import ServedVersions
from kindling.errors import DataError
from kindling.records import SENTIMENTS
from kindling.retrieval.rerank import Query
from kindling.serving.explanation import explained
from kindling.serving.neighbours import WORDS, Found, Neighbours
from kindling.serving.questions import Analyze
from kindling.serving.summary import summarise

NO_IMAGE = "no image was given"
NOT_LOOKED_AT = "this model reads no images"


class Prediction(Protocol):
    @property
    def probabilities(self) -> np.ndarray:
        """[n, 3] in the order of SENTIMENTS."""
        ...

    @property
    def modality(self) -> Sequence[str]:
        """ "text", "image" or "text+image" a row."""
        ...


class SentimentClassifier(Protocol):
    def predict(
        self, texts: Sequence[str | None], photos: Sequence[bytes | None], /
    ) -> Prediction: ...


@dataclass(frozen=True)
class Verdict:
    """One row of a prediction."""

    #: In the order of SENTIMENTS.
    probabilities: tuple[float, ...]
    modality: str


@dataclass(frozen=True)
class Predictor:
    """A model and an index that serve together; frozen, so that a swap is one assignment."""

    model: SentimentClassifier
    model_version: str
    calibrated: bool
    #: True of a model that no gate has let through: every answer says so.
    provisional: bool
    #: None until an index was ever built.
    search: Neighbours | None
    #: What the model runs on, and why it is torch where it is.
    engine: str | None = None
    engine_reason: str | None = None
    #: Pixels a side of the square that the model looks at; None where it does not say.
    photo_size: int | None = None

    def verdicts(self, requests: Sequence[Analyze]) -> list[Verdict | DataError]:
        """One verdict a request in one pass; what the model cannot read is told of its row."""
        try:
            return self._pass(requests)
        except DataError as error:
            if len(requests) == 1:
                return [error]
        return [one for request in requests for one in self.verdicts([request])]

    def queries(self, texts: Sequence[str | None]) -> list[Query | None]:
        """Each text embedded; None where there is no text or nothing is searched now."""
        wanted = [text for text in texts if text is not None]
        if self.search is None or self.search.code or not wanted:
            return [None] * len(texts)
        embedded = iter(self.search.embed(wanted))
        return [None if text is None else next(embedded) for text in texts]

    def not_searched(self, request: Analyze) -> Found:
        """The answer's search where none is made."""
        if not request.top_k:
            return Found()
        if request.text is None:
            return Found(code="no_text")
        return Found(code="no_index" if self.search is None else "search_unavailable")

    def answer(
        self, request: Analyze, verdict: Verdict, found: Found
    ) -> dict[str, Any]:
        """The fields of AnalyzeAnswer but the time."""
        best = max(range(len(SENTIMENTS)), key=verdict.probabilities.__getitem__)
        image_used = "image" in verdict.modality
        missing = NO_IMAGE if request.image is None else NOT_LOOKED_AT
        return {
            "sentiment": SENTIMENTS[best],
            "confidence": round(verdict.probabilities[best], 4),
            "probabilities": {
                name: round(p, 4)
                for name, p in zip(SENTIMENTS, verdict.probabilities, strict=True)
            },
            "calibrated": self.calibrated,
            "modality": verdict.modality,
            "image_used": image_used,
            "image_reason": None if image_used else request.image_reason or missing,
            "model_version": self.model_version,
            "provisional": self.provisional,
            "index_version": self.search.version if self.search else None,
            "similar_reviews": [review.model_dump() for review in found.reviews],
            "search_code": found.code,
            "search_reason": WORDS[found.code] if found.code else None,
            "summary": summarise(found.reviews).model_dump(),
        }

    def explain(self, text: str) -> dict[str, Any]:
        """The fields of Explanation but the time."""

        def probabilities(texts: Sequence[str]) -> np.ndarray:
            found = self.model.predict(list(texts), [None] * len(texts))
            return np.asarray(found.probabilities, dtype=float)

        return explained(text, probabilities) | {
            "model_version": self.model_version,
            "provisional": self.provisional,
        }

    def results(self, found: Found) -> dict[str, Any]:
        """The fields of SearchAnswer but the time."""
        assert self.search is not None
        return {
            "results": [review.model_dump() for review in found.reviews],
            "search_code": found.code,
            "index_version": self.search.version,
            "fusion": self.search.fusion,
        }

    def versions(self) -> dict[str, Any]:
        """The fields of ServedVersions that are the predictor's own."""
        return ServedVersions(
            model_version=self.model_version,
            provisional=self.provisional,
            index_version=self.search.version if self.search else None,
            fusion=self.search.fusion if self.search else None,
            calibrated=self.calibrated,
            in_step=True,
            engine=self.engine,
            engine_reason=self.engine_reason,
        ).model_dump()

    def _pass(self, requests: Sequence[Analyze]) -> list[Verdict | DataError]:
        prediction = self.model.predict(
            [one.text for one in requests], [one.image for one in requests]
        )
        rows = np.asarray(prediction.probabilities, dtype=float).tolist()
        return [
            Verdict(tuple(row), modality)
            for row, modality in zip(rows, prediction.modality, strict=True)
        ]
