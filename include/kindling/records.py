"""What stages hand to one another. Each record class is one table; the store adds run id and stage."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from datetime import datetime
from typing import Any, ClassVar, Literal

Sentiment = Literal["negative", "neutral", "positive"]
Condition = Literal["intact", "torn", "stained", "broken"]
Split = Literal["train", "validation", "golden"]
Band = Literal["accept", "review", "discard"]
Origin = Literal["scraped", "synthetic"]

SENTIMENTS: tuple[Sentiment, ...] = ("negative", "neutral", "positive")
CONDITIONS: tuple[Condition, ...] = ("intact", "torn", "stained", "broken")
SPLITS: tuple[Split, ...] = ("train", "validation", "golden")


def said_by(record_type: type[Any]) -> list[str]:
    """Names of the fields that say something of the row itself, not of how it came."""
    provenance = getattr(record_type, "provenance", ())
    return [one.name for one in fields(record_type) if one.name not in provenance]


def sentiment_of(rating: int) -> Sentiment:
    """1-2 stars negative, 3 neutral, 4-5 positive."""
    return "negative" if rating <= 2 else "neutral" if rating == 3 else "positive"


@dataclass(frozen=True)
class Page:
    """A fetched page as it came: `uri` holds the raw bytes, `sha256` their hash."""

    table: ClassVar[str] = "page"
    key: ClassVar[str] = "url"
    #: Says how the row came: one that differs in nothing else is the row that is there already.
    provenance: ClassVar[tuple[str, ...]] = ("fetched_at", "action")
    url: str
    sha256: str
    uri: str
    status: int
    fetcher: Literal["http", "browser"]
    fetched_at: datetime
    #: The source it is of, and what it was asked for: "new", "deeper", "retry", or "kept".
    source: str = ""
    action: str = ""


@dataclass(frozen=True)
class Product:
    table: ClassVar[str] = "product"
    key: ClassVar[str] = "product_id"
    product_id: str
    name: str
    category: str
    url: str


@dataclass(frozen=True)
class Photo:
    """An image in the object store; `photo_id` is the SHA-256 of its bytes."""

    table: ClassVar[str] = "photo"
    key: ClassVar[str] = "photo_id"
    provenance: ClassVar[tuple[str, ...]] = ("source_url",)
    photo_id: str
    product_id: str
    kind: Literal["product", "review"]
    origin: Origin
    uri: str
    width: int
    height: int
    source_url: str = ""
    #: Only where known by construction: a synthetic edit, never a scraped photo.
    condition: Condition | None = None
    #: The photo this one was edited from.
    base_photo_id: str | None = None


@dataclass(frozen=True)
class Review:
    table: ClassVar[str] = "review"
    key: ClassVar[str] = "review_id"
    provenance: ClassVar[tuple[str, ...]] = ("source_url", "page_sha256")
    review_id: str
    product_id: str
    category: str
    title: str
    body: str
    rating: int
    origin: Origin
    photo_id: str | None = None
    source_url: str = ""
    page_sha256: str = ""
    extractor: str = ""
    author: str = ""
    published: str = ""

    @property
    def text(self) -> str:
        """Title and body as the models read them."""
        return f"{self.title}. {self.body}" if self.title else self.body


@dataclass(frozen=True)
class DedupeDecision:
    """Every scraped review gets one: the cluster it is in, whether it stays, and its split."""

    table: ClassVar[str] = "dedupe_decision"
    key: ClassVar[str] = "review_id"
    review_id: str
    cluster_id: str
    kept: bool
    #: "unique", "representative", "exact_duplicate", "near_duplicate", "beyond_niche_seeds"
    reason: str
    #: Jaccard similarity to the representative, 1.0 for itself.
    similarity: float
    split: Split
    #: False where a golden page shows the same picture: the review is used without its photo.
    photo_kept: bool = True


@dataclass(frozen=True)
class PhotoDecision:
    """Every scraped photo gets one: whether anything but the holdout may look at it."""

    table: ClassVar[str] = "photo_decision"
    key: ClassVar[str] = "photo_id"
    photo_id: str
    usable: bool
    #: "free", "golden", or "across_golden": a golden page shows the same picture.
    reason: str


@dataclass(frozen=True)
class Study:
    """One shot of one thing in every condition, to teach what damage looks like.

    No review shows it, so it states no sentiment.
    """

    table: ClassVar[str] = "study"
    key: ClassVar[str] = "study_id"
    #: SHA-256 of the shot without damage.
    study_id: str
    product_id: str
    #: The real photo that was studied.
    base_photo_id: str
    #: Condition -> address of the shot in the object store; every condition is there.
    uris: Mapping[Condition, str]


@dataclass(frozen=True)
class Synthesis:
    """How a synthetic review came to be; joins `Review` by `review_id`."""

    table: ClassVar[str] = "synthesis"
    key: ClassVar[str] = "review_id"
    review_id: str
    sentiment: Sentiment
    method: str
    #: Real train-split reviews whose sentences or phrases it uses.
    source_review_ids: tuple[str, ...]
    condition: Condition | None = None
    #: What made it: model, prompt id and hash, attributes asked for, editor.
    provenance: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class ChallengeVerdict:
    """One synthetic row's out-of-fold score, P(synthetic), and whether it may be trained on."""

    table: ClassVar[str] = "challenge_verdict"
    key: ClassVar[str] = "review_id"
    review_id: str
    score: float
    admitted: bool
    reason: str
    #: What it counts in training, against 1 for a real row: the weight that it was admitted at.
    weight: float = 1.0


@dataclass(frozen=True)
class Label:
    table: ClassVar[str] = "label"
    key: ClassVar[str] = "review_id"
    review_id: str
    sentiment: Sentiment
    confidence: float
    band: Band
    #: Voter name -> probability it gave to `sentiment`.
    votes: Mapping[str, float]


@dataclass(frozen=True)
class CurvePoint:
    """One line of the cold-start curve at one number of real niche rows."""

    table: ClassVar[str] = "curve_point"
    key: ClassVar[str] = "point_id"
    #: "line @ real rows / figure".
    point_id: str
    line: str
    #: The line that was subtracted, for a comparison; else empty.
    under: str
    #: Real niche rows; -1 for all that there were.
    real_rows: int
    figure: str
    value: float
    low: float
    high: float
    n: int
    products: int
    data_sha256: str
    #: "helps", "harms" or "cannot tell" for a comparison; else empty.
    verdict: str = ""


@dataclass(frozen=True)
class Rejection:
    """A row that went no further, and why. `detail` is small and readable."""

    table: ClassVar[str] = "rejection"
    key: ClassVar[str] = "row_id"
    row_id: str
    reason: str
    detail: str = ""


Record = (
    Page
    | Product
    | Photo
    | Review
    | DedupeDecision
    | PhotoDecision
    | Study
    | Synthesis
    | ChallengeVerdict
    | Label
    | CurvePoint
    | Rejection
)
RECORD_TYPES: tuple[type[Record], ...] = (
    Page,
    Product,
    Photo,
    Review,
    DedupeDecision,
    PhotoDecision,
    Study,
    Synthesis,
    ChallengeVerdict,
    Label,
    CurvePoint,
    Rejection,
)


@dataclass(frozen=True)
class Example:
    """One row of a training or evaluation set: text, photo and truth together."""

    review_id: str
    product_id: str
    category: str
    text: str
    sentiment: Sentiment
    rating: int
    origin: Origin
    split: Split
    weight: float = 1.0
    photo_id: str | None = None
    photo_uri: str | None = None
    #: Simulated condition of a synthetic photo; None where unknown.
    condition: Condition | None = None


@dataclass(frozen=True)
class Estimate:
    """A figure that may be printed: value, sample size, 95 % interval, hash of the data behind it."""

    value: float
    n: int
    low: float
    high: float
    data_sha256: str
    #: Products behind the n rows, and how many of equal size would tell as much; 0 where the
    #: rows are taken to be independent.
    products: int = 0
    in_effect: float = 0.0
    #: The smallest difference that would be seen with a chance of 80 %; None where not known.
    detectable: float | None = None
    #: Why there is no interval, and so no figure to print; low and high are then its whole range.
    refused: str = ""

    def __str__(self) -> str:
        source = f"n={self.n}, data {self.data_sha256[:8]}"
        if self.refused:
            return f"{self.refused} ({source})"
        found = f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}] ({source})"
        if self.detectable is None:
            return found
        return f"{found[:-1]}; detects {self.detectable:.3f})"


@dataclass(frozen=True)
class StageReport:
    """What a stage returns, and all that travels through XCom."""

    stage: str
    run_id: str
    rows_in: int
    rows_out: int
    rejected: Mapping[str, int] = field(default_factory=dict)
    #: Numbers and short strings; an Estimate is stored as its dict.
    figures: Mapping[str, Any] = field(default_factory=dict)
    uris: Mapping[str, str] = field(default_factory=dict)
    #: Which implementation did the job behind each port.
    implementation: Mapping[str, str] = field(default_factory=dict)
    elapsed_s: float = 0.0
    inputs_sha256: str = ""
    code_sha256: str = ""
    #: True when an earlier attempt had already committed and nothing was done.
    unchanged: bool = False
    #: Which part of the stage's work this is, and how many parts there are.
    shard: int = 0
    shards: int = 1
    #: Hash of the records, whatever their order: the same on two nights, nothing has changed.
    rows_sha256: str = ""
    #: The run whose work this is, where a later night had nothing to add to it.
    same_as: str = ""

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready dict (Estimates and other dataclasses become dicts)."""
        return asdict(self)
