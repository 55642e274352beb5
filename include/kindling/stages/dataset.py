"""The run's rows joined into examples: what training and evaluation read."""

from collections.abc import Iterable

from kindling.ports.rows import RowStore
from kindling.records import (
    CONDITIONS,
    SPLITS,
    ChallengeVerdict,
    DedupeDecision,
    Example,
    Label,
    Photo,
    Review,
    Split,
    Synthesis,
)


def condition_studies(rows: RowStore, run_id: str) -> list[Example]:
    """Synthetic photos that no review shows: they state a condition, and with weight 0 no sentiment.

    In fours: one shot in each condition, intact first.
    """
    edits: dict[str, dict[str, Photo]] = {}
    for photo in rows.read(Photo, run_id, origin="synthetic", kind="product"):
        shot = photo.photo_id if photo.condition == "intact" else photo.base_photo_id
        edits.setdefault(shot or "", {})[photo.condition or ""] = photo
    fours = [
        [one[condition] for condition in CONDITIONS]
        for _, one in sorted(edits.items())
        if len(one) == len(CONDITIONS)
    ]
    return [
        Example(
            review_id=photo.photo_id,
            product_id=photo.product_id,
            category="",
            text="",
            sentiment="neutral",
            rating=3,
            origin="synthetic",
            split="train",
            weight=0.0,
            photo_id=photo.photo_id,
            photo_uri=photo.uri,
            condition=photo.condition,
            intact_uri=four[0].uri,
        )
        for four in fours
        for photo in four
    ]


def examples(
    rows: RowStore, run_id: str, splits: Iterable[Split] = SPLITS
) -> list[Example]:
    """Accepted examples of the splits, ordered by review id.

    Train holds accepted real rows and admitted, accepted synthetic ones. Validation and golden hold
    every real row of theirs, with the stars' sentiment; no synthetic row ever stands there.
    """
    wanted = set(splits)
    decisions = {d.review_id: d for d in rows.read(DedupeDecision, run_id, kept=True)}
    admitted = {
        v.review_id: v.weight
        for v in rows.read(ChallengeVerdict, run_id, admitted=True)
    }
    accepted = {
        label.review_id: label for label in rows.read(Label, run_id, band="accept")
    }
    photos = {photo.photo_id: photo for photo in rows.read(Photo, run_id)}
    conditions = {s.review_id: s.condition for s in rows.read(Synthesis, run_id)}
    result = []
    for review in rows.read(Review, run_id):
        label = accepted.get(review.review_id)
        decision = decisions.get(review.review_id)
        synthetic = review.origin == "synthetic"
        split = "train" if synthetic else decision.split if decision else None
        if (
            label is None
            or split not in wanted
            or (synthetic and review.review_id not in admitted)
        ):
            continue
        # A picture that also stands in the holdout is not looked at anywhere else.
        shown = decision.photo_kept if decision else True
        photo = photos.get(review.photo_id) if review.photo_id and shown else None
        result.append(
            Example(
                review_id=review.review_id,
                product_id=review.product_id,
                category=review.category,
                text=review.text,
                sentiment=label.sentiment,
                rating=review.rating,
                origin=review.origin,
                split=split,
                weight=admitted.get(review.review_id, 1.0),
                photo_id=photo.photo_id if photo else None,
                photo_uri=photo.uri if photo else None,
                condition=conditions.get(review.review_id) if photo else None,
            )
        )
    return result
