"""Synthetic rows that stay from one night to the next."""

import logging
from collections.abc import Iterable, Mapping, Sequence

from kindling.records import Photo, Record, Rejection, Review
from kindling.stages.carry import Carried, carried, states
from kindling.stages.contract import Outcome
from kindling.stages.view import Earlier, RunView, SyntheticReview

log = logging.getLogger(__name__)


def still_written(
    earlier: Earlier,
    view: RunView,
    train: Sequence[Review],
    lacking: Mapping[str, int],
    share: float,
    settings: str,
) -> Outcome | None:
    """The rows of the night before without those whose source has left or changed.

    None where all has to be written anew: too many of the train reviews have changed, or more than
    that `share` of the rows fall away, or a cell lacks so much more than when they were written.
    """
    before = carried(earlier, "synthesize", train, share, settings)
    if before is None or _lacks_more(before, lacking, share):
        return None
    written = before.view.synthetic()
    still = _Still(before.view, view, train)
    kept = [one for one in written if still.holds(one)]
    if len(kept) < (1 - share) * len(written):
        return None
    log.info("synthesize: %d of %d rows stay", len(kept), len(written))
    ids = {one.review.review_id for one in kept}
    fallen = [
        Rejection(one.review.review_id, "source_changed", "a review it was made from")
        for one in written
        if one.review.review_id not in ids
    ]
    return Outcome(
        rows_in=len(written),
        rows_out=len(kept),
        records=still.records(kept),
        rejections=[*before.view.rejections("synthesize"), *fallen],
        figures={**before.report.figures, **before.figures},
        implementation=before.report.implementation,
    )


def _lacks_more(before: Carried, lacking: Mapping[str, int], share: float) -> bool:
    cells: Mapping[str, Mapping[str, int]] = before.report.figures["cells"]
    return any(
        count > (1 + share) * cells.get(cell, {}).get("lacking", 0)
        for cell, count in lacking.items()
    )


class _Still:
    """What synthetic rows stand on, as far as it is tonight what it was."""

    def __init__(self, before: RunView, now: RunView, train: Sequence[Review]) -> None:
        was, is_now = states(before.real("train")), states(train)
        self._sources = {one for one in was if was[one] == is_now.get(one)}
        self._usable = {one.photo_id for one in now.usable_photos()}
        self._was, self._now = before.splits_of_products(), now.splits_of_products()
        self._made = {one.photo_id: one for one in before.made_photos()}
        self._studies = before.studies()

    def holds(self, one: SyntheticReview) -> bool:
        """Whether sources, product and photo of a row are as they were."""
        subject, photo = one.review.product_id, self._photo(one)
        return (
            self._sources.issuperset(one.synthesis.source_review_ids)
            and self._was.get(subject) == self._now.get(subject)
            and (photo is None or photo.base_photo_id in self._usable)
        )

    def records(self, kept: Iterable[SyntheticReview]) -> list[Record]:
        """The rows with their origins and photos, and the studies of photos that are there still."""
        found: list[Record] = []
        photos: dict[str, Photo] = {}
        for one in kept:
            found += [one.review, one.synthesis]
            if photo := self._photo(one):
                photos[photo.photo_id] = photo
        studies = [one for one in self._studies if one.base_photo_id in self._usable]
        return [*found, *photos.values(), *studies]

    def _photo(self, one: SyntheticReview) -> Photo | None:
        return self._made.get(one.review.photo_id or "")
