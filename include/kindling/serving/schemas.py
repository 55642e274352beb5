"""What the endpoints take and answer. The generated API documentation is made from these."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from kindling.records import Sentiment

MAX_TEXT_CHARACTERS = 20_000
MAX_RESULTS = 50

#: PostgreSQL holds no NUL, so no field that is matched whole has one.
Exact = Annotated[
    str, StringConstraints(min_length=1, max_length=200, pattern=r"^[^\x00]*$")
]

Stars = Annotated[int, Field(ge=1, le=5)]


class AnalyzeRequest(BaseModel):
    """JSON fields; a multipart form has the same, with the file `image` in place of the last two."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "query_text": "The seam ripped after one wash.",
                    "image_url": "https://shop.example/p/1.jpg",
                    "top_k": 5,
                }
            ]
        }
    )

    text: str | None = None
    #: The same as `text`, under the other name that clients use.
    query_text: str | None = None
    top_k: int = Field(5, ge=0, le=MAX_RESULTS)
    image_url: str | None = Field(None, max_length=2048)
    image_base64: str | None = None


class SearchFilters(BaseModel):
    """Each field: one value, or several of which one must match."""

    model_config = ConfigDict(extra="forbid")

    product_id: Exact | list[Exact] | None = None
    category: Exact | list[Exact] | None = None
    sentiment: Sentiment | list[Sentiment] | None = None
    rating: Stars | list[Stars] | None = None


class SearchRequest(BaseModel):
    query_text: str
    top_k: int = Field(5, ge=1, le=MAX_RESULTS)
    filters: SearchFilters = SearchFilters()


class SimilarReview(BaseModel):
    review_id: str
    text: str
    rating: int
    sentiment: Sentiment
    #: From 0 to 1 among this query's candidates; says which is closer, not how close.
    score: float
    product_id: str
    category: str


class Share(BaseModel):
    """Share of the similar reviews, with its 95 % Wilson interval."""

    share: float
    low: float
    high: float


class Summary(BaseModel):
    """Facts about the similar reviews; they never change the sentiment."""

    n: int
    shares: dict[Sentiment, Share]
    sentence: str


class AnalyzeAnswer(BaseModel):
    sentiment: Sentiment
    #: Probability of `sentiment`.
    confidence: float
    probabilities: dict[Sentiment, float]
    #: Whether the probabilities were fitted to validation rows.
    calibrated: bool
    modality: str
    image_used: bool
    #: Why no image was used; absent where one was.
    image_reason: str | None = None
    model_version: str
    index_version: str | None
    similar_reviews: list[SimilarReview]
    #: Why there was no search; absent where there was one.
    search_reason: str | None = None
    summary: Summary
    processing_time_ms: float


class SearchAnswer(BaseModel):
    results: list[SimilarReview]
    index_version: str
    #: What made the order: weights of both legs, and the rerank or "none".
    fusion: str
    processing_time_ms: float


class ServedVersions(BaseModel):
    model_version: str
    index_version: str | None
    fusion: str | None


class Problem(BaseModel):
    code: str
    message: str


class ErrorAnswer(BaseModel):
    error: Problem
