"""What each route does, in words, and the statuses it can answer with."""

from dataclasses import dataclass
from typing import Literal

DESCRIPTION = """Sentiment of product reviews from text, a photo, or both, with similar reviews.

Every error is `{"error": {"code", "message", "request_id"}}`; codes are stable, messages are
for people. Where the server asks for keys, send `Authorization: Bearer <key>`. A request id
of your own may be sent as `X-Request-ID`; every answer has one.

The sentiment never waits for the search: where a store is away, `search_code` says so and
`similar_reviews` is empty."""

STATUSES = {
    400: "not a request of this route: `bad_json`, `nothing_given`, `bad_request`",
    401: "`no_key`: a key is needed",
    403: "`wrong_scope`: this key may not do this; `foreign_origin`: another site's page",
    404: "`no_scheduler`: KINDLING_AIRFLOW_URL is not set; `unknown_run`",
    405: "`method_not_allowed`",
    408: "`body_too_slow`: the body did not arrive in time",
    413: "too large: `text_too_long`, `image_too_large`, `body_too_large`, `too_many_rows`",
    415: "`unsupported_media_type`, `unsupported_charset`",
    422: "a field is wrong: `invalid_field`, `ambiguous_text`, `ambiguous_image`, `bad_image`, "
    "`image_unavailable`, `photo_search_unsupported`, `unreadable`, `scheduler_refused`",
    429: "`rate_limited`: more than the key's limit",
    431: "`head_too_large`: the request's headers are over 32 kB",
    500: "`internal`: the server's log says why, under the request id",
    503: "not now: `starting`, `busy`, `worker_lost`, `no_index`, `search_timeout`, "
    "`search_unavailable`, `feedback_unavailable`, `scheduler_unavailable`",
    504: "`timeout`: no answer within 30 s",
}
BODY = (400, 401, 403, 405, 408, 413, 415, 422, 429, 431, 500, 503)
PLAIN = (401, 403, 405, 429, 431, 500)


@dataclass(frozen=True)
class Operation:
    name: str
    method: Literal["get", "post"]
    summary: str
    description: str
    answer: str
    statuses: tuple[int, ...]


OPERATIONS = {
    "/analyze": Operation(
        "analyze",
        "post",
        "Sentiment of one review",
        "Text, a photo, or both, as JSON or as a multipart form with the file `image`. "
        "Texts to 20,000 characters; photos to 10 MB and 40 million pixels (JPEG, PNG, "
        "WEBP, GIF, BMP), by URL to 5 MB in 5 s.",
        "the sentiment, and the reviews most like it",
        (*BODY, 504),
    ),
    "/analyze/batch": Operation(
        "analyze_batch",
        "post",
        "Sentiments of many reviews",
        "One JSON object a line in, one a line out, in the same order. A row that is "
        "wrong has `error` in place of `answer`; the others are answered.",
        "a BatchRow a line",
        BODY,
    ),
    "/search_similar": Operation(
        "search_similar",
        "post",
        "Reviews like a text",
        "Filters on product, category, sentiment and rating. Where no review is near the "
        "text, `results` is empty and `search_code` is `nothing_close`.",
        "the reviews, best first",
        (*BODY, 504),
    ),
    "/feedback": Operation(
        "feedback",
        "post",
        "What a person says is right",
        "Kept for later training. The same verdict, or the same `feedback_id`, is stored once.",
        "where it is kept",
        BODY,
    ),
    "/explain": Operation(
        "explain",
        "post",
        "Which words a sentiment hangs on",
        "Each part of the text (a word, or in a long text some beside each other; 24 parts "
        "at most) is left out once. It costs up to 25 answers of the model.",
        "the parts in the order of the text",
        (*BODY, 504),
    ),
    "/train": Operation(
        "train",
        "post",
        "Begin a run of the whole loop",
        "Through Airflow's API. The same `train_id` again is the same run. Needs the scope "
        "`train`.",
        "the run",
        (*BODY, 404),
    ),
    "/train/{train_id}": Operation(
        "training",
        "get",
        "How far a run is",
        "Stage, seconds so far, and seconds to its end by the runs before it.",
        "the run",
        (*PLAIN, 404, 422, 503),
    ),
    "/train/{train_id}/cancel": Operation(
        "cancel_training",
        "post",
        "End a run",
        "Its stages are told by their next heartbeat; rows of a stage under way are not kept.",
        "the run",
        (*PLAIN, 404, 422, 503),
    ),
    "/build_index": Operation(
        "build_index",
        "post",
        "Build the search index again",
        "Lets the newest good run do its stage `index` again. One whose index is whole "
        "finds nothing to do.",
        "the run",
        (*PLAIN, 404, 422, 503),
    ),
    "/events": Operation(
        "events",
        "get",
        "What changes, as it changes",
        "Server-sent events: `serving`, `search`, `worker`, `training`. Send the last id "
        "as `Last-Event-ID` or as `after` to go on behind it; `gap` says that some are not "
        "kept any more. The same address is a WebSocket: each message is JSON of `id`, "
        "`event` and `data`, the server reads none, and a page of another site is refused.",
        "a stream that does not end",
        (*PLAIN, 422, 503),
    ),
    "/models": Operation(
        "models",
        "get",
        "What serves",
        "Versions of model and index, and whether they are what the aliases name.",
        "the versions",
        (*PLAIN, 503),
    ),
    "/ready": Operation(
        "ready",
        "get",
        "Whether a request would be answered",
        "Asks the model something every two seconds at most. Needs no key.",
        "ready",
        (405, 431, 500, 503),
    ),
    "/health": Operation(
        "health",
        "get",
        "Whether the server lives",
        '"ok" once a model is loaded, "not ready" before. Needs no key.',
        "alive and loaded",
        (405, 431, 500, 503),
    ),
    "/stats": Operation(
        "stats",
        "get",
        "Counts and times since the start",
        "By route and status; cache, worker and search.",
        "the figures",
        PLAIN,
    ),
    "/metrics": Operation(
        "metrics",
        "get",
        "The figures for Prometheus",
        "Text format 0.0.4.",
        "the figures",
        PLAIN,
    ),
}
