"""One run's rows, joined: the only place that says what is kept, admitted, and may be looked at.

Five doors. `RunView` shows train and validation rows, and of golden ones no more than their
stars. `Unsplit` shows every scraped row, to the stage that makes the split. `Searchable`
shows what the search index holds. `Earlier` opens `RunView`s of the nights before. `Holdout` shows golden rows, and only `evaluate` is given
it.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from kindling.errors import DataError
from kindling.ports.rows import Outline, RowStore
from kindling.records import (
    SPLITS,
    ChallengeVerdict,
    DedupeDecision,
    Example,
    Label,
    Page,
    Photo,
    PhotoDecision,
    Product,
    Rejection,
    Review,
    Split,
    StageReport,
    Study,
    Synthesis,
)
from kindling.stages.shards import added_up

#: What anything but the holdout may look at.
OpenSplit = Literal["train", "validation"]
Outlines = list[Outline]


@dataclass(frozen=True)
class SyntheticReview:
    """A synthetic review and how it came to be."""

    review: Review
    synthesis: Synthesis


@dataclass(frozen=True)
class Stars:
    """A held-out review's stars, without its words."""

    review_id: str
    split: Split
    rating: int


@dataclass(frozen=True)
class Searched:
    """A kept real review and its label, where it has one."""

    review: Review
    label: Label | None


class RunView:
    """Train and validation rows of one run, for every stage after the split."""

    def __init__(self, rows: RowStore, run_id: str) -> None:
        self._rows = rows
        self._run_id = run_id

    def report(self, stage: str) -> StageReport | None:
        """A stage's report, its shards added up; None while a shard is missing."""
        reports = self._rows.shard_reports(self._run_id, stage)
        if not reports or len(reports) < reports[0].shards:
            return None
        return reports[0] if len(reports) == 1 else added_up(reports)

    def night_of(self, stage: str) -> str:
        """The run whose work the stage's is: this one, or the one that it had nothing to add to."""
        report = self.report(stage)
        return (report.same_as if report else "") or self._run_id

    def products(self) -> list[Product]:
        """Every product of the run, ordered by id."""
        return self._rows.read(Product, self._run_id)

    def splits_of_products(self) -> dict[str, Split]:
        """Product id -> split, for products that have a review.

        Where earlier nights placed its reviews on several sides, the one furthest from training.
        """
        found: dict[str, Split] = {}
        for review in self._scraped:
            decision = self._decisions.get(review.review_id)
            if decision:
                before = found.get(review.product_id, decision.split)
                found[review.product_id] = max(before, decision.split, key=SPLITS.index)
        return found

    def real(self, split: OpenSplit) -> list[Review]:
        """Kept real reviews of the split, ordered by id."""
        return [row for row in self._scraped if self._split_kept(row) == split]

    def stars(self) -> list[Stars]:
        """Stars of every kept validation and golden review: what is measured against."""
        return [
            Stars(row.review_id, split, row.rating)
            for row in self._scraped
            if (split := self._split_kept(row)) in ("validation", "golden")
        ]

    def usable_photos(self) -> list[Photo]:
        """Scraped photos outside the holdout, ordered by id.

        A picture that a golden page shows too is not looked at anywhere else.
        """
        usable = {
            one.photo_id
            for one in self._rows.read(PhotoDecision, self._run_id, usable=True)
        }
        return [
            photo
            for photo in self._rows.read(Photo, self._run_id, origin="scraped")
            if photo.photo_id in usable
        ]

    def shown_photo(self, review: Review) -> str | None:
        """Id of the photo that may be looked at with a kept review."""
        decision = self._decisions.get(review.review_id)
        return review.photo_id if decision is None or decision.photo_kept else None

    def synthetic(self) -> list[SyntheticReview]:
        """Every synthetic review, ordered by id.

        DataError for one whose origin is not on record, or is no kept train review: trained
        on, it would leak a split.
        """
        made = {one.review_id: one for one in self._rows.read(Synthesis, self._run_id)}
        found = []
        for review in self._rows.read(Review, self._run_id, origin="synthetic"):
            origin = made.get(review.review_id)
            if origin is None:
                raise DataError(
                    f"{review.review_id} has no synthesis row; run synthesize again"
                )
            self._check_sources(origin)
            found.append(SyntheticReview(review, origin))
        return found

    def admitted(self) -> list[SyntheticReview]:
        """Synthetic reviews that the challenge let through."""
        return [
            one for one in self.synthetic() if one.review.review_id in self._weights
        ]

    def labelled(self) -> list[SyntheticReview]:
        """Admitted synthetic reviews with an accepted label: what training could learn from."""
        accepted = self._accepted
        return [one for one in self.admitted() if one.review.review_id in accepted]

    def made_photos(self) -> list[Photo]:
        """Photos that synthesis made, ordered by id."""
        return self._rows.read(Photo, self._run_id, origin="synthetic")

    def verdicts(self) -> list[ChallengeVerdict]:
        """What the challenge said of every synthetic review, ordered by id."""
        return self._rows.read(ChallengeVerdict, self._run_id)

    def labels(self) -> list[Label]:
        """Every label, ordered by id."""
        return self._rows.read(Label, self._run_id)

    def rejections(self, stage: str) -> list[Rejection]:
        """What a stage has left out, ordered by row."""
        return self._rows.rejections(self._run_id, stage)

    def studies(self) -> list[Study]:
        """Studies of conditions, ordered by id."""
        return self._rows.read(Study, self._run_id)

    def examples(self, split: OpenSplit) -> list[Example]:
        """Accepted examples of the split, ordered by review id.

        Train holds accepted real rows and admitted, accepted synthetic ones, unless `appraise`
        left those out. Validation holds every real row of its own, with the stars' sentiment,
        and no synthetic one.
        """
        labels = self._accepted
        photos = {one.photo_id: one for one in self._rows.read(Photo, self._run_id)}
        found = [
            self._example(review, split, labels[review.review_id], photos)
            for review in self.real(split)
            if review.review_id in labels
        ]
        if split == "train" and self._uses_synthetic:
            found += [
                self._synthetic_example(one, labels[one.review.review_id], photos)
                for one in self.labelled()
            ]
        return sorted(found, key=lambda example: example.review_id)

    @cached_property
    def _scraped(self) -> list[Review]:
        return self._rows.read(Review, self._run_id, origin="scraped")

    @cached_property
    def _decisions(self) -> dict[str, DedupeDecision]:
        found = self._rows.read(DedupeDecision, self._run_id)
        return {one.review_id: one for one in found}

    @cached_property
    def _accepted(self) -> dict[str, Label]:
        found = self._rows.read(Label, self._run_id, band="accept")
        return {one.review_id: one for one in found}

    @cached_property
    def _weights(self) -> dict[str, float]:
        found = self._rows.read(ChallengeVerdict, self._run_id, admitted=True)
        return {one.review_id: one.weight for one in found}

    @cached_property
    def _uses_synthetic(self) -> bool:
        """What `appraise` decided; without its report nothing is held back."""
        report = self.report("appraise")
        return report is None or bool(report.figures["synthetic_used"])

    def _split_kept(self, review: Review) -> Split | None:
        decision = self._decisions.get(review.review_id)
        return decision.split if decision and decision.kept else None

    def _check_sources(self, origin: Synthesis) -> None:
        for source in origin.source_review_ids:
            decision = self._decisions.get(source)
            if decision is None or not decision.kept or decision.split != "train":
                raise DataError(
                    f"{origin.review_id} was made from {source}, which is no kept train review: "
                    "trained on, it would leak a split"
                )

    def _example(
        self, review: Review, split: Split, label: Label, photos: Mapping[str, Photo]
    ) -> Example:
        photo = photos.get(self.shown_photo(review) or "")
        return _example(review, split, label, photo)

    def _synthetic_example(
        self, one: SyntheticReview, label: Label, photos: Mapping[str, Photo]
    ) -> Example:
        photo = photos.get(one.review.photo_id or "")
        weight = self._weights[one.review.review_id]
        return _example(one.review, "train", label, photo, weight, one.synthesis)


class Earlier:
    """The nights before this one, for stages that go on from where another ended."""

    def __init__(self, rows: RowStore, run_id: str) -> None:
        self._rows = rows
        self._run_id = run_id

    def night(self, stage: str) -> RunView | None:
        """The newest earlier night of the recipe that has committed the stage."""
        before = self._rows.before(self._run_id, stage)
        return RunView(self._rows, before) if before else None

    def named(self, run_id: str) -> RunView:
        """A night by its id; one that is not in the record has no rows."""
        return RunView(self._rows, run_id)


class Unsplit:
    """Everything that was scraped, before there is a split: for `dedupe`."""

    def __init__(self, rows: RowStore, run_id: str) -> None:
        self._rows = rows
        self.run_id = run_id

    def outlines(self) -> Outlines:
        """Scraped reviews without their words, ordered by id."""
        return list(self._rows.outlines(self.run_id))

    def words(self, keys: Collection[str] | None = None) -> Iterator[Review]:
        """Scraped reviews, ordered by id, one at a time; all of them, or those of the ids."""
        return self._rows.each(Review, self.run_id, keys, origin="scraped")

    def photos(self) -> list[Photo]:
        """Scraped photos, ordered by id."""
        return self._rows.read(Photo, self.run_id, origin="scraped")

    def pages(self) -> list[Page]:
        """Scraped pages, ordered by address."""
        return self._rows.read(Page, self.run_id)

    def before(self) -> "Unsplit | None":
        """The newest earlier night of the recipe that has committed `dedupe`."""
        earlier = self._rows.before(self.run_id, "dedupe")
        return Unsplit(self._rows, earlier) if earlier else None

    def decisions(self) -> Iterator[DedupeDecision]:
        """What `dedupe` decided of the run, ordered by id."""
        return self._rows.each(DedupeDecision, self.run_id)


class Searchable:
    """Kept real reviews of every split, for `index`: what customers wrote may be found."""

    def __init__(self, rows: RowStore, run_id: str) -> None:
        self._rows = rows
        self._run_id = run_id

    @property
    def same_as(self) -> str:
        """The run that labelled these reviews, where this one had nothing to add; else empty."""
        report = RunView(self._rows, self._run_id).report("label")
        return report.same_as if report else ""

    def reviews(self) -> list[Searched]:
        """Ordered by review id."""
        kept = {
            one.review_id
            for one in self._rows.read(DedupeDecision, self._run_id, kept=True)
        }
        labels = {one.review_id: one for one in self._rows.read(Label, self._run_id)}
        return [
            Searched(review, labels.get(review.review_id))
            for review in self._rows.read(Review, self._run_id, origin="scraped")
            if review.review_id in kept
        ]


class Holdout:
    """Golden rows, for `evaluate` alone."""

    def __init__(self, rows: RowStore, run_id: str) -> None:
        self._rows = rows
        self._run_id = run_id

    def examples(self) -> list[Example]:
        """Every kept golden review with its stars' sentiment, ordered by id."""
        decisions = {
            one.review_id: one
            for one in self._rows.read(
                DedupeDecision, self._run_id, kept=True, split="golden"
            )
        }
        labels = {
            one.review_id: one
            for one in self._rows.read(Label, self._run_id, band="accept")
        }
        photos = {one.photo_id: one for one in self._rows.read(Photo, self._run_id)}
        found = []
        for review in self._rows.read(Review, self._run_id, origin="scraped"):
            decision = decisions.get(review.review_id)
            label = labels.get(review.review_id)
            if decision and label:
                shown = review.photo_id if decision.photo_kept else None
                photo = photos.get(shown or "")
                found.append(_example(review, "golden", label, photo))
        return found


def _example(
    review: Review,
    split: Split,
    label: Label,
    photo: Photo | None,
    weight: float = 1.0,
    synthesis: Synthesis | None = None,
) -> Example:
    return Example(
        review_id=review.review_id,
        product_id=review.product_id,
        category=review.category,
        text=review.text,
        sentiment=label.sentiment,
        rating=review.rating,
        origin=review.origin,
        split=split,
        weight=weight,
        photo_id=photo.photo_id if photo else None,
        photo_uri=photo.uri if photo else None,
        condition=synthesis.condition if photo and synthesis else None,
    )
