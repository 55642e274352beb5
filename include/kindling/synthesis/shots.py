"""Photos made for synthetic rows and for studies; one whose change cannot be seen is refused."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np

from kindling.ports.generation import EditedPhoto, Editor
from kindling.ports.objects import ObjectStore
from kindling.records import CONDITIONS, Condition, Photo, Rejection, Study

#: Other photos that are tried where a change cannot be seen on the first.
_BASES_TRIED = 3
#: Rounds in which studies that failed are replaced.
_ROUNDS = 4


@dataclass
class Tally:
    """How many edits were made, and how many of them can be seen."""

    made: int = 0
    kept: int = 0
    redrawn: int = 0
    rejections: list[Rejection] = field(default_factory=list)

    def count(self, edited: EditedPhoto, subject: str, condition: Condition) -> bool:
        """Note one damaged photo; False when it is refused because its change cannot be seen."""
        self.made += 1
        self.redrawn += edited.attempts > 1
        if edited.visible:
            self.kept += 1
            return True
        detail = (
            f"{condition} on {subject or 'a photo'}: {edited.changed or 0:.4f} of the object"
            f" looks different after {edited.attempts} tries"
        )
        self.rejections.append(Rejection(_sha256(edited.data), "invisible", detail))
        return False

    @property
    def figures(self) -> dict[str, object]:
        """Share of damaged photos whose change can be seen: of all made, and of those kept."""
        return {
            "edits_made": self.made,
            "edits_redrawn": self.redrawn,
            "edits_invisible": self.made - self.kept,
            "visible_before_refusal": round(self.kept / max(1, self.made), 4),
        }


class Studio:
    """Makes photos with one editor and keeps count of them."""

    def __init__(
        self, editor: Editor, objects: ObjectStore, subjects: Mapping[str, str]
    ) -> None:
        """`subjects`: product id -> what it is in words, for the editor."""
        self._editor = editor
        self._objects = objects
        self._subjects = subjects
        self.tally = Tally()

    def review_photo(
        self,
        product_id: str,
        bases: Sequence[Photo],
        condition: Condition,
        rng: np.random.Generator,
    ) -> Photo | None:
        """A photo of the product in that condition, edited from one of `bases`; None where none shows it."""
        subject = self._subjects.get(product_id, "")
        for _ in range(_BASES_TRIED):
            base = bases[int(rng.integers(len(bases)))]
            data = self._objects.get(base.uri)
            edited = self._editor.edit(data, condition, rng, subject)
            if condition == "intact" or self.tally.count(edited, subject, condition):
                return Photo(
                    photo_id=_sha256(edited.data),
                    product_id=product_id,
                    kind="review",
                    origin="synthetic",
                    uri=self._objects.put(edited.data, edited.suffix),
                    width=edited.width,
                    height=edited.height,
                    condition=condition,
                    base_photo_id=base.photo_id,
                )
        return None

    def studies(
        self, bases: Sequence[Photo], count: int, seed: int, threads: int
    ) -> list[Study]:
        """Up to `count` photos, each shot in every condition; a base whose damage cannot be seen gives way.

        Bases are taken in turn, so that where they are few some are studied again.
        """
        made: dict[str, Study] = {}
        number = 0
        for _ in range(_ROUNDS if bases else 0):
            wanted = range(number, number + count - len(made))
            number = wanted.stop
            for study in self._shot(bases, wanted, seed, threads):
                made[study.study_id] = study
        return list(made.values())

    def _shot(
        self, bases: Sequence[Photo], numbers: range, seed: int, threads: int
    ) -> Iterator[Study]:
        def shoot(number: int) -> dict[Condition, EditedPhoto]:
            base = bases[number % len(bases)]
            data = self._objects.get(base.uri)
            subject = self._subjects.get(base.product_id, "")
            return {
                condition: self._editor.edit(
                    data, condition, np.random.default_rng([seed, number]), subject
                )
                for condition in CONDITIONS
            }

        with ThreadPoolExecutor(threads) as pool:
            for number, shots in zip(numbers, pool.map(shoot, numbers), strict=True):
                study = self._study(bases[number % len(bases)], shots)
                if study:
                    yield study

    def _study(
        self, base: Photo, shots: Mapping[Condition, EditedPhoto]
    ) -> Study | None:
        subject = self._subjects.get(base.product_id, "")
        seen = [
            self.tally.count(edited, subject, condition)
            for condition, edited in shots.items()
            if condition != "intact"
        ]
        if not all(seen):
            return None
        return Study(
            study_id=_sha256(shots["intact"].data),
            product_id=base.product_id,
            base_photo_id=base.photo_id,
            uris={
                condition: self._objects.put(edited.data, edited.suffix)
                for condition, edited in shots.items()
            },
        )


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
