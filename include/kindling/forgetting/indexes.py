"""Forgets in both legs of the search index: a version without the reviews takes the place of the one that serves."""

import hashlib
from collections.abc import Iterator, Sequence

from kindling.observe.lineage import sha256_of
from kindling.ports.forgetting import Change, Subject
from kindling.ports.index import IndexAlias, KeywordIndex, VectorIndex, VectorRow

#: Ids that are asked for at once.
_BATCH = 1000


class ForgetfulIndexes:
    """Forgetful over the index ports. Readers go on reading while the new version is made."""

    name = "indexes"

    def __init__(
        self, keywords: KeywordIndex, vectors: VectorIndex, alias: IndexAlias
    ) -> None:
        self._keywords = keywords
        self._vectors = vectors
        self._alias = alias

    def forget(self, subject: Subject) -> Sequence[Change]:
        """Replace the version that serves where it holds a review of the subject, drop all others that do.

        The name is new, so that no answer kept under the old one is given again.
        """
        serving = self._alias.current()
        changes = []
        if serving and self._held(serving, subject):
            changes.append(self._replaced(serving, subject))
        kept = {self._alias.current(), *self._clean(subject)}
        for version in self._versions():
            if version not in kept:
                self._keywords.drop(version)
                self._vectors.drop(version)
                changes.append(Change(self.name, version, sha256_of(version)))
        return changes

    def search(self, subject: Subject) -> Sequence[str]:
        """Versions that hold a review of the subject, in either leg."""
        found = []
        vectors = set(self._vectors.versions())
        for version in self._versions():
            if version not in vectors:
                found.append(f"{self.name}: {version} (keywords without vectors)")
            elif self._held(version, subject):
                found.append(f"{self.name}: {version} (vectors)")
            elif self._said(version, subject):
                found.append(f"{self.name}: {version} (keywords)")
        return found

    def _replaced(self, serving: str, subject: Subject) -> Change:
        version = _renamed(serving, subject)
        count = self._vectors.build(version, self._staying(serving, subject))
        before = self._vectors.count(serving)
        documents = (row.document for row in self._vectors.rows(version))
        self._keywords.build(version, documents)
        self._alias.swap(version)
        return Change(
            self.name,
            f"{serving} -> {version}",
            sha256_of([serving, before]),
            sha256_of([version, count]),
            before - count,
        )

    def _staying(self, version: str, subject: Subject) -> Iterator[VectorRow]:
        ids = subject.ids
        for row in self._vectors.rows(version):
            if row.document.review_id not in ids:
                yield row

    def _clean(self, subject: Subject) -> set[str]:
        """Versions of both legs that hold nothing of the subject."""
        both = set(self._vectors.versions()).intersection(self._keywords.versions())
        return {one for one in both if not self._held(one, subject)}

    def _held(self, version: str, subject: Subject) -> bool:
        ids = sorted(subject.ids)
        return any(
            self._alias.documents(version, ids[at : at + _BATCH])
            for at in range(0, len(ids), _BATCH)
        )

    def _said(self, version: str, subject: Subject) -> bool:
        """Whether the keyword leg finds a review of the subject by its own words."""
        if version not in self._keywords.versions():
            return False
        ids = sorted(subject.ids)
        return any(
            self._keywords.search(version, text, 1, {"review_id": ids})
            for text in subject.texts
        )

    def _versions(self) -> list[str]:
        return sorted({*self._vectors.versions(), *self._keywords.versions()})


def _renamed(version: str, subject: Subject) -> str:
    """The same name whenever a killed attempt is made again, and another than any before."""
    digest = hashlib.sha256("\n".join((version, *sorted(subject.ids))).encode())
    return f"{version[:80]}-f{digest.hexdigest()[:10]}"
