"""Verdicts of the challenge that stay from one night to the next."""

import logging
from collections.abc import Sequence

from kindling.records import Review
from kindling.stages.carry import carried, states
from kindling.stages.contract import Outcome
from kindling.stages.view import Earlier

log = logging.getLogger(__name__)


def still_judged(
    earlier: Earlier,
    train: Sequence[Review],
    synthetic: Sequence[Review],
    share: float,
    settings: str,
) -> Outcome | None:
    """The verdicts of the night before, where they still hold and every synthetic row has one."""
    before = carried(earlier, "challenge", train, share, settings)
    if before is None:
        return None
    held = {one.review_id: one for one in before.view.verdicts()}
    known = states(one.review for one in before.view.synthetic())
    now = states(synthetic)
    if any(one not in held or known.get(one) != now[one] for one in now):
        return None
    verdicts = [held[one] for one in now]
    log.info("challenge: %d verdicts stay", len(verdicts))
    left_out = before.view.rejections("challenge")
    return Outcome(
        rows_in=len(verdicts),
        rows_out=sum(one.admitted for one in verdicts),
        records=verdicts,
        rejections=[one for one in left_out if one.row_id in now],
        figures={**before.report.figures, **before.figures},
    )
