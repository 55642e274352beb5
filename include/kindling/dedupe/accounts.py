"""What a night's decisions say of photos, and the account of what went no further."""

from collections.abc import Iterable, Mapping

from kindling.dedupe.leakage import PhotoBorder, Withheld
from kindling.dedupe.placement import Placement
from kindling.records import DedupeDecision, Photo, PhotoDecision, Rejection


def review_rejections(
    decisions: Iterable[DedupeDecision], details: Mapping[str, Withheld]
) -> list[Rejection]:
    """An account of the reviews that go no further; `details` of those the border takes out."""
    return [
        Rejection(one.review_id, one.reason, _detail(one, details))
        for one in decisions
        if not one.kept
    ]


def _detail(decision: DedupeDecision, details: Mapping[str, Withheld]) -> str:
    if decision.reason.startswith("beyond_"):
        return ""
    if decision.cluster_id == decision.review_id:
        return details[decision.review_id].detail
    return f"{decision.cluster_id} stands for it, similarity {decision.similarity:.3f}"


def photo_decisions(
    photos: Iterable[Photo], placement: Placement, border: PhotoBorder
) -> tuple[PhotoDecision, ...]:
    """A photo may be used outside the holdout unless a golden page shows the same picture."""
    decisions = []
    for photo in photos:
        golden = placement.splits[photo.product_id] == "golden"
        across = photo.photo_id in border.outside and not golden
        reason = "golden" if golden else "across_golden" if across else "free"
        decisions.append(
            PhotoDecision(photo.photo_id, not golden and not across, reason)
        )
    return tuple(decisions)


def photo_rejections(
    photos: Iterable[Photo], decisions: Iterable[PhotoDecision]
) -> list[Rejection]:
    """An account, for people, of the photos that no later stage may use."""
    product_of = {photo.photo_id: photo.product_id for photo in photos}
    return [
        Rejection(
            one.photo_id, "photo_across_golden", f"product {product_of[one.photo_id]}"
        )
        for one in decisions
        if one.reason == "across_golden"
    ]
