"""What a store must do so that a review can be forgotten: name it, take it out, and be searched."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol


@dataclass(frozen=True)
class Selection:
    """Which reviews are to be forgotten. Several fields are several reasons: any of them will do."""

    reviews: tuple[str, ...] = ()
    #: Host of a shop's address, name of a file, or namespace of a source.
    source: str = ""
    author_mark: str = ""
    #: A run whose crawl met AI opt-outs: what earlier nights took from those pages.
    opted_out_in: str = ""


@dataclass(frozen=True)
class Subject:
    """All that has to go, as one plan: it is kept until the work is done, and then goes too."""

    #: Real reviews that were asked for, or say the same words as one of them.
    reviews: tuple[str, ...]
    #: Synthetic reviews made from them.
    children: tuple[str, ...] = ()
    #: Texts of both, as the models read them.
    texts: tuple[str, ...] = ()
    #: Folded texts by which a store is searched: no review that stays says them.
    needles: tuple[str, ...] = ()
    #: Photos that no review shows that stays, edited ones included, and studies of them.
    photos: tuple[str, ...] = ()
    studies: tuple[str, ...] = ()
    #: Addresses of pages, photos and shots in the object store.
    uris: tuple[str, ...] = ()
    pages: tuple[str, ...] = ()
    #: Hashes by which the next crawl knows them again.
    tombstones: tuple[str, ...] = ()
    #: Nights whose rows are touched.
    runs: tuple[str, ...] = ()

    @property
    def ids(self) -> frozenset[str]:
        """Every review that goes, real or synthetic."""
        return frozenset((*self.reviews, *self.children))

    @property
    def names(self) -> frozenset[str]:
        """Ids of reviews, photos and studies."""
        return self.ids.union(self.photos, self.studies)


@dataclass(frozen=True)
class Change:
    """One thing that a store changed: what it hashed to before, and after (empty: it is gone)."""

    store: str
    where: str
    before: str
    after: str = ""
    #: Rows or entries that went.
    gone: int = 1


class Forgetful(Protocol):
    """A store that can forget. Both methods may be called again and again."""

    @property
    def name(self) -> str:
        """The store's name on the certificate."""
        ...

    def forget(self, subject: Subject) -> Sequence[Change]:
        """Take the subject out for good; what is gone already is fine."""
        ...

    def search(self, subject: Subject) -> Sequence[str]:
        """Places where any of it is still found; empty when there are none."""
        ...


@dataclass(frozen=True)
class Work:
    """A forgetting that was begun. `subject` is None once it has been certified."""

    number: int
    subject: Subject | None
    certificate: Mapping[str, Any] = field(default_factory=dict)


class Tombstones(Protocol):
    """Hashes of what may not come back."""

    def among(self, hashes: Sequence[str]) -> frozenset[str]:
        """Those of the hashes that are buried."""
        ...


class Journal(Tombstones, Protocol):
    """Plans and certificates of forgetting, and the tombstones that they leave."""

    def plan(self, selection: Selection) -> Subject:
        """What the selection means in the record; empty where it names nothing that is there."""
        ...

    def begin(self, subject: Subject) -> Work:
        """Keep plan and tombstones in one transaction: from here on nothing comes back."""
        ...

    def unfinished(self) -> list[Work]:
        """Works that were begun and not certified, oldest first."""
        ...

    def add_changes(self, number: int, changes: Sequence[Change]) -> None:
        """Keep what a store changed, so that a killed work's certificate lists it too."""
        ...

    def changes(self, number: int) -> list[Change]:
        """All changes of the work so far, each once."""
        ...

    def certify(self, number: int, certificate: Mapping[str, Any]) -> None:
        """Keep the certificate in place of the plan, whose texts go with it."""
        ...

    def certificates(self) -> list[Work]:
        """Certified works, oldest first."""
        ...
