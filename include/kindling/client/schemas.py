"""What the endpoints take and answer: one definition for server, client and OpenAPI page.

Imports nothing of the product, so that a client needs pydantic and httpx alone.
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

MAX_TEXT_CHARACTERS = 20_000
MAX_RESULTS = 50
#: Values that one filter may list.
MAX_CHOICES = 50
MAX_BATCH_ROWS = 1_000

Sentiment = Literal["negative", "neutral", "positive"]

SearchCode = Literal[
    "no_text", "no_index", "nothing_close", "search_timeout", "search_unavailable"
]
"""Why an answer has no similar reviews. The last two pass by themselves."""

#: PostgreSQL holds no NUL, so no field that is matched whole has one.
Exact = Annotated[
    str, StringConstraints(min_length=1, max_length=200, pattern=r"^[^\x00]*$")
]
Stars = Annotated[int, Field(ge=1, le=5)]
ExactChoices = Annotated[list[Exact], Field(max_length=MAX_CHOICES)]
SentimentChoices = Annotated[list[Sentiment], Field(max_length=MAX_CHOICES)]
StarChoices = Annotated[list[Stars], Field(max_length=MAX_CHOICES)]

#: Longer texts are refused with 413, so the bound is documented and not validated here.
ReviewText = Annotated[
    str | None, Field(json_schema_extra={"maxLength": MAX_TEXT_CHARACTERS})
]


class AnalyzeRequest(BaseModel):
    """A review's text, a photo, or both. A multipart form has the file `image` instead
    of `image_url` and `image_base64`."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"query_text": "The seam ripped after one wash.", "top_k": 5},
                {"text": "Soft, warm, and true to size.", "top_k": 0},
            ]
        }
    )

    text: ReviewText = Field(default=None, description="The review.")
    query_text: ReviewText = Field(
        default=None,
        description="The same as `text`, under the other name that clients use.",
    )
    top_k: int = Field(
        default=5,
        ge=0,
        le=MAX_RESULTS,
        description="How many similar reviews to return.",
    )
    image_url: str | None = Field(
        default=None,
        max_length=2048,
        description="An http(s) URL on port 80 or 443 of a public address.",
    )
    image_base64: str | None = Field(
        default=None, description="The photo's bytes, with or without a `data:` prefix."
    )


class SearchFilters(BaseModel):
    """Each field: one value, or several of which one must match."""

    model_config = ConfigDict(extra="forbid")

    product_id: Exact | ExactChoices | None = None
    category: Exact | ExactChoices | None = None
    sentiment: Sentiment | SentimentChoices | None = None
    rating: Stars | StarChoices | None = None


class SearchRequest(BaseModel):
    """A text to search by, and what the reviews found must match."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "query_text": "zipper broke",
                    "top_k": 3,
                    "filters": {"rating": [1, 2]},
                }
            ]
        }
    )

    query_text: str = Field(
        json_schema_extra={"maxLength": MAX_TEXT_CHARACTERS},
        description="Words of a review, in any order.",
    )
    top_k: int = Field(default=5, ge=1, le=MAX_RESULTS)
    filters: SearchFilters = SearchFilters()


class SimilarReview(BaseModel):
    """One review of the index."""

    review_id: str
    text: str
    rating: int
    sentiment: Sentiment
    score: float = Field(
        description="From 0 to 1 among this query's candidates: which is closer, not how close."
    )
    similarity: float = Field(
        description="Cosine of the two texts' embeddings, from -1 to 1: how close."
    )
    product_id: str
    category: str


class Summary(BaseModel):
    """What the similar reviews say, counted. They are the nearest, not a sample: their
    shares estimate nothing, so there is no interval, and they never change the sentiment."""

    n: int
    counts: dict[Sentiment, int]
    sentence: str


class AnalyzeAnswer(BaseModel):
    """The sentiment, and the reviews most like it."""

    sentiment: Sentiment
    confidence: float = Field(ge=0, le=1, description="Probability of `sentiment`.")
    probabilities: dict[Sentiment, float]
    calibrated: bool = Field(
        description="Whether the probabilities were fitted to validation rows."
    )
    modality: str = Field(description='"text", "image" or "text+image".')
    image_used: bool
    image_reason: str | None = Field(
        default=None, description="Why no image was used; null where one was."
    )
    model_version: str
    provisional: bool = Field(
        description="True while no model has passed the gate and the newest one serves."
    )
    index_version: str | None
    similar_reviews: list[SimilarReview]
    search_code: SearchCode | None = Field(
        default=None,
        description="Why there are no similar reviews; null where there was no obstacle.",
    )
    search_reason: str | None = Field(default=None, description="The same in words.")
    summary: Summary
    processing_time_ms: float


class SearchAnswer(BaseModel):
    """Reviews closest to the text, best first."""

    results: list[SimilarReview]
    search_code: SearchCode | None = Field(
        default=None, description='"nothing_close" where no review is near the text.'
    )
    index_version: str
    fusion: str = Field(
        description='What made the order: weights of both legs, and the rerank or "none".'
    )
    processing_time_ms: float


class BatchRequestRow(AnalyzeRequest):
    """One line of a batch: a request, with a name that comes back beside its answer."""

    id: str | None = Field(default=None, max_length=200)


class Problem(BaseModel):
    """What is wrong, as a code for programs and a message for people."""

    code: str
    message: str
    request_id: str | None = Field(
        default=None, description="Names the request in the server's log."
    )


class ErrorAnswer(BaseModel):
    """Every answer that is not a success."""

    error: Problem


class BatchRow(BaseModel):
    """One line of a batch's answer, in the order of the request: `answer` or `error`."""

    row: int = Field(ge=0)
    id: str | None = None
    answer: AnalyzeAnswer | None = None
    error: Problem | None = None


class FeedbackRequest(BaseModel):
    """A person's verdict on a text."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "text": "Not bad at all.",
                    "sentiment": "positive",
                    "answered": "negative",
                }
            ]
        },
    )

    text: str = Field(min_length=1, max_length=MAX_TEXT_CHARACTERS)
    sentiment: Sentiment = Field(description="What is right.")
    answered: Sentiment | None = Field(
        default=None, description="What the endpoint said."
    )
    model_version: str | None = Field(default=None, max_length=200)
    note: str | None = Field(default=None, max_length=2_000)
    feedback_id: str | None = Field(
        default=None,
        min_length=1,
        max_length=100,
        description="A name of the client's own: sent twice, it is stored once.",
    )


class FeedbackAnswer(BaseModel):
    """The name under which the verdict is kept."""

    feedback_id: str
    stored: bool = Field(description="False where it had been stored before.")


class ExplainRequest(BaseModel):
    """A text whose sentiment is to be told part by part."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [{"text": "Soft fabric, but the seam ripped after one wash."}]
        },
    )

    text: str = Field(json_schema_extra={"maxLength": MAX_TEXT_CHARACTERS})


class ExplainedPart(BaseModel):
    """Some words of the text, beside each other."""

    start: int = Field(ge=0, description="First character, from 0.")
    end: int = Field(ge=0, description="Character behind the last.")
    text: str
    weight: float | None = Field(
        description="By how much the probability of `sentiment` falls without this part; "
        "below 0 where it rises. Null for a text of one part."
    )


class Explanation(BaseModel):
    """What the sentiment hangs on. It tells of the model, not of the product."""

    sentiment: Sentiment
    confidence: float = Field(ge=0, le=1)
    parts: list[ExplainedPart]
    model_version: str
    provisional: bool
    processing_time_ms: float


class TrainRequest(BaseModel):
    """A run of the whole loop, from scraping to a new index. Every field may be left out."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"train_id": "monday"}, {"recipe": "demo"}]},
    )

    train_id: str | None = Field(
        default=None,
        pattern=r"^[A-Za-z0-9_.:+-]{1,100}$",
        description="A name of the client's own: sent twice, it is one run.",
    )
    recipe: str | None = Field(default=None, min_length=1, max_length=200)
    niche: list[Exact] | None = Field(default=None, max_length=MAX_CHOICES)
    target_size: int | None = Field(default=None, ge=1, le=1_000_000)


class Training(BaseModel):
    """One run of the loop as Airflow tells it."""

    train_id: str
    state: str = Field(description="queued, running, success or failed.")
    stage: str | None = Field(description="Under way, or the one that failed.")
    done: int = Field(ge=0, description="Stages that have ended well.")
    stages: int = Field(ge=0)
    elapsed_s: float | None
    left_s: float | None = Field(
        description="Seconds to its end by the median of the last good runs; null where none was."
    )


class EventContent(BaseModel):
    """The data of one event: when, and what it is now."""

    model_config = ConfigDict(extra="allow")

    at: float = Field(description="Unix time.")


class ServedVersions(BaseModel):
    """What serves, and what the aliases name."""

    model_version: str
    provisional: bool = Field(
        description="True while no model has passed the gate and the newest one serves."
    )
    index_version: str | None
    fusion: str | None
    calibrated: bool
    champion_alias: str | None = Field(
        default=None, description="The version that the registry names champion."
    )
    index_alias: str | None = None
    in_step: bool = Field(
        description="Whether what serves is what the aliases named at the last look."
    )
    looked_s_ago: float | None = None
    engine: str | None = Field(
        default=None, description='What the model runs on: "onnx-int8" or "torch".'
    )
    engine_reason: str | None = Field(
        default=None, description="Why it is torch; null where it is not."
    )


class Readiness(BaseModel):
    """Whether a request sent now would be answered, by an answer given just now."""

    ready: bool
    reason: str | None = None
    model_version: str | None = None
    index_version: str | None = None
    search: str | None = Field(default=None, description='"ok", or a search code.')


class Stats(BaseModel):
    """Counts and times since the server started."""

    uptime_s: float
    waiting: int
    #: Route -> status -> count.
    requests: dict[str, dict[str, int]]
    #: Route -> p50, p95, p99 over the newest answers.
    milliseconds: dict[str, dict[str, float]]
    cache: dict[str, int]
    worker: dict[str, Any]
    search: str | None
