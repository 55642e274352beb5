"""Forgets in the models' training sets, and says which models saw what is forgotten."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, replace

from kindling.observe.lineage import sha256_of
from kindling.ports.forgetting import Change, Subject
from kindling.ports.registry import ModelRegistry, TrainingSet


class ForgetfulModels:
    """Forgetful over the registry. A model's weights stay until the next night replaces it."""

    name = "models"

    def __init__(self, registry: ModelRegistry) -> None:
        self._registry = registry

    def forget(self, subject: Subject) -> Sequence[Change]:
        """Take rows, children and studies out of every manifest; how many it were stays there."""
        changes = []
        for version in self._registry.versions():
            known = self._registry.training_set(version.version)
            if known is None:
                continue
            left = _without(known, subject)
            gone = left.forgotten - known.forgotten
            if gone:
                self._registry.keep_training_set(version.version, left)
                changes.append(
                    Change(
                        self.name,
                        f"version {version.version} of run {version.run_id}",
                        sha256_of(asdict(known)),
                        sha256_of(asdict(left)),
                        gone,
                    )
                )
        return changes

    def search(self, subject: Subject) -> Sequence[str]:
        """Versions whose manifest names any of it."""
        found = []
        for version in self._registry.versions():
            known = self._registry.training_set(version.version)
            if known and _without(known, subject).forgotten > known.forgotten:
                found.append(f"{self.name}: training set of version {version.version}")
        return found


def seen_by(
    registry: ModelRegistry, review_ids: Iterable[str]
) -> dict[str, dict[str, Mapping[str, int]]]:
    """Review id -> model version -> how it was seen: rows by train, validation or synthetic child."""
    wanted = tuple(review_ids)
    found: dict[str, dict[str, Mapping[str, int]]] = {one: {} for one in wanted}
    for version in registry.versions():
        known = registry.training_set(version.version)
        if known is None:
            continue
        for review_id, rows in known.with_review(wanted).items():
            counts: dict[str, int] = {}
            for row in rows:
                how = row.part if row.review_id == review_id else "synthetic"
                counts[how] = counts.get(how, 0) + 1
            found[review_id][version.version] = counts
    return found


def without_manifest(registry: ModelRegistry) -> list[str]:
    """Versions of which nobody can say what they saw."""
    return [
        one.version
        for one in registry.versions()
        if registry.training_set(one.version) is None
    ]


def _without(known: TrainingSet, subject: Subject) -> TrainingSet:
    names = subject.names
    rows = tuple(
        row
        for row in known.rows
        if row.review_id not in names
        and row.photo_id not in names
        and names.isdisjoint(row.sources)
    )
    studies = {
        study: photo
        for study, photo in known.studies.items()
        if study not in names and photo not in names
    }
    gone = len(known.rows) - len(rows) + len(known.studies) - len(studies)
    return replace(known, rows=rows, studies=studies, forgotten=known.forgotten + gone)
