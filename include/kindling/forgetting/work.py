"""Forgets a review in every store, in an order that a kill cannot break, and certifies it."""

import logging
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any

from kindling.errors import DataError
from kindling.observe.lineage import sha256_of
from kindling.observe.marks import hashed
from kindling.observe.traces import needles_of
from kindling.ports.forgetting import (
    Change,
    Forgetful,
    Journal,
    Selection,
    Subject,
    Work,
)

log = logging.getLogger(__name__)
#: Places that an error names.
_SHOWN = 10


@dataclass(frozen=True)
class Certificate:
    """What was forgotten, by hash: it names no review and holds no word of one."""

    number: int
    #: SHA-256 of the plan, and of each review's id.
    plan_sha256: str
    reviews: tuple[str, ...]
    synthetic_children: int
    photos: int
    #: Texts that other people wrote too and that therefore stay where those stand.
    texts_of_others: int
    #: Versions whose training sets held it, by the changes of their manifests.
    models_that_saw_it: tuple[str, ...]
    #: Model versions without a manifest: they may have seen it, and nobody can say.
    models_unknown: tuple[str, ...]
    changes: tuple[Change, ...]
    searched: tuple[str, ...]
    found_after: int
    certified_at: str
    note: str = field(
        default="Server logs, WAL segments and backups of PostgreSQL keep what they hold until"
        " they are recycled; models that saw it answer until the next night replaces them."
    )


def forget(
    selection: Selection,
    journal: Journal,
    stores: Sequence[Forgetful],
    models_unknown: Sequence[str] = (),
) -> list[Certificate]:
    """Finish what was begun, then forget the selection; a certificate for each.

    DataError where the selection names nothing that the record holds, and where a search still
    finds a trace: then the work stays begun, and the same command finishes it.
    """
    done = [
        _finish(work, journal, stores, models_unknown) for work in journal.unfinished()
    ]
    subject = journal.plan(selection)
    if subject.reviews:
        work = journal.begin(subject)
        return [*done, _finish(work, journal, stores, models_unknown)]
    buried = journal.among(subject.tombstones)
    if done or (buried and buried.issuperset(subject.tombstones)):
        log.info("nothing is left of what was asked for: it is forgotten already")
        return done
    raise DataError(
        f"nothing to forget: no review of the record fits {_said(selection)}; review ids are"
        " those that `python -m kindling example` and the search answers show"
    )


def _finish(
    work: Work,
    journal: Journal,
    stores: Sequence[Forgetful],
    models_unknown: Sequence[str],
) -> Certificate:
    subject = work.subject
    assert subject is not None
    for store in stores:
        changes = store.forget(subject)
        journal.add_changes(work.number, changes)
        log.info("%s: %d changes", store.name, len(changes))
    found = [place for store in stores for place in store.search(subject)]
    if found:
        raise DataError(
            f"forgetting {work.number}: still found in {len(found)} places: "
            f"{'; '.join(found[:_SHOWN])}; run the same command again once no stage is running"
        )
    certificate = _certificate(work.number, subject, journal, stores, models_unknown)
    journal.certify(work.number, asdict(certificate))
    return certificate


def _certificate(
    number: int,
    subject: Subject,
    journal: Journal,
    stores: Sequence[Forgetful],
    models_unknown: Sequence[str],
) -> Certificate:
    changes = journal.changes(number)
    return Certificate(
        number=number,
        plan_sha256=sha256_of(asdict(subject)),
        reviews=tuple(hashed("review", one) for one in subject.reviews),
        synthetic_children=len(subject.children),
        photos=len(subject.photos),
        texts_of_others=_shared(subject),
        models_that_saw_it=tuple(
            sorted({one.where for one in changes if one.store == "models"})
        ),
        models_unknown=tuple(models_unknown),
        changes=tuple(changes),
        searched=tuple(store.name for store in stores),
        found_after=0,
        certified_at=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def _shared(subject: Subject) -> int:
    """Texts of which no piece is looked for: too short, or all of it said by others."""
    needles = set(subject.needles)
    return sum(needles.isdisjoint(needles_of([text])) for text in subject.texts)


def _said(selection: Selection) -> str:
    said: dict[str, Any] = {
        name: value for name, value in asdict(selection).items() if value
    }
    return ", ".join(f"{name}={value!r}" for name, value in said.items()) or "nothing"
