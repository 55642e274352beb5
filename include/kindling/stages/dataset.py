"""The run's rows joined into examples: what training and evaluation read."""

from collections.abc import Iterable

from kindling.ports.rows import RowStore
from kindling.records import (
    CONDITIONS,
    SPLITS,
    ChallengeVerdict,
    Condition,
    DedupeDecision,
    Example,
    Label,
    Photo,
    Review,
    Split,
    Study,
    Synthesis,
)


def studies(rows: RowStore, run_id: str) -> list[Study]:
    """Shots of one thing in every condition; those that lack a condition are left out."""
    shots: dict[str, dict[Condition, Photo]] = {}
    for photo in rows.read(Photo, run_id, origin="synthetic", kind="product"):
        if photo.condition is None:
            continue
        intact = photo.condition == "intact"
        study_id = photo.photo_id if intact else photo.base_photo_id
        shots.setdefault(study_id or "", {})[photo.condition] = photo
    return [
        Study(
            study_id=study_id,
            product_id=of["intact"].product_id,
            base_photo_id=of["intact"].base_photo_id or "",
            uris={condition: of[condition].uri for condition in CONDITIONS},
        )
        for study_id, of in sorted(shots.items())
        if len(of) == len(CONDITIONS)
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
