"""Whether anything generated gets out of the house without its mark.

    make bench NAME=marks

Generated rows, and photos of the drawn editor, are sent through every
outlet that exists today: the object store (as a file that somebody copies), a JPEG saved again by
another program with its metadata, the rows of the record, the search index's view and the
training view. Canaries (generated rows among real ones) are counted where only real rows may
be.
"""

import io
import json
from collections.abc import Iterator

import numpy as np
from PIL import Image, ImageDraw

from kindling.records import (
    CONDITIONS,
    ChallengeVerdict,
    DedupeDecision,
    Label,
    Photo,
    Product,
    Review,
    StageReport,
    Synthesis,
)
from kindling.stages.view import Holdout, RunView, Searchable
from kindling.stores.memory import MemoryObjects, MemoryRows
from kindling.synthesis.drawing import DrawnConditions
from kindling.synthesis.marks import generated, photo_mark, review_marked, unmarked

CANARIES = 40
RUN = "bench"


def photo(seed: int) -> bytes:
    """A drawn thing on a plain ground, as PNG."""
    rng = np.random.default_rng(seed)
    image = Image.new("RGB", (160, 160), (240, 240, 235))
    colour = tuple(int(one) for one in rng.integers(60, 170, 3))
    ImageDraw.Draw(image).rectangle((35, 30, 125, 130), colour)
    out = io.BytesIO()
    image.save(out, "PNG")
    return out.getvalue()


def saved_again(data: bytes) -> bytes:
    """As a viewer that keeps metadata saves it."""
    image = Image.open(io.BytesIO(data))
    out = io.BytesIO()
    image.save(out, "JPEG", quality=85, exif=image.getexif())
    return out.getvalue()


def filled() -> tuple[MemoryRows, MemoryObjects, list[Photo]]:
    """A run whose canaries are admitted and labelled, as far into the house as rows can come."""
    rows, objects = MemoryRows(), MemoryObjects()
    editor = DrawnConditions(128)
    real: list[object] = [Product("p", "Plain mug", "Mugs", "")]
    made: list[object] = []
    photos = []
    for number in range(CANARIES):
        split = "golden" if number % 4 == 0 else "train"
        one = Review(f"r{number}", "p", "Mugs", "", f"Real {number}.", 5, "scraped")
        real += [one, DedupeDecision(one.review_id, "c", True, "unique", 1.0, split)]
        condition = CONDITIONS[number % len(CONDITIONS)]
        edited = editor.edit(photo(number), condition, np.random.default_rng(number))
        uri = objects.put(edited.data, edited.suffix)
        shot = Photo(
            f"{number:064}", "p", "review", "synthetic", uri, 128, 128, "", condition
        )
        photos.append(shot)
        review = Review(
            f"syn-{number:016}",
            "p",
            "Mugs",
            "",
            f"Canary {number}.",
            5,
            "synthetic",
            photo_id=shot.photo_id,
            extractor="bench/1",
        )
        origin = Synthesis(review.review_id, "positive", "bench/1", ("r1", "r2"))
        made += [shot, review, origin]
    names = [one.review_id for one in (*real, *made) if isinstance(one, Review)]
    verdicts = [
        ChallengeVerdict(one, 0.5, True, "") for one in names if one[:4] == "syn-"
    ]
    labels = [Label(one, "positive", 0.99, "accept", {}) for one in names]
    for stage, records in (
        ("dedupe", real),
        ("synthesize", made),
        ("challenge", verdicts),
        ("label", labels),
    ):
        rows.commit(StageReport(stage, RUN, 0, 0), records, [])  # type: ignore[arg-type]
    return rows, objects, photos


def outlets() -> Iterator[tuple[str, int]]:
    """Name of each way out, and how many unmarked or misplaced things came through it."""
    rows, objects, photos = filled()
    files = [(one.photo_id, objects.get(one.uri)) for one in photos]
    synthetic = rows.read(Review, RUN, origin="synthetic")
    assert len(files) == len(synthetic) == CANARIES
    yield "files of the object store", len(unmarked([], files))
    again = [(name, saved_again(data)) for name, data in files]
    yield "files saved again with metadata", len(unmarked([], again))
    yield "rows of the record", sum(not review_marked(one) for one in synthetic)
    view = RunView(rows, RUN)
    yield "real train rows", len(generated(view.real("train")))
    yield "real validation rows", len(generated(view.real("validation")))
    searched = [one.review for one in Searchable(rows, RUN).reviews()]
    yield "search index", len(generated(searched))
    golden = {one.review_id for one in Holdout(rows, RUN).examples()}
    yield "golden rows", sum(name.startswith("syn-") for name in golden)
    train = view.examples("train")
    hidden = [
        one
        for one in train
        if (one.origin == "synthetic") != one.review_id.startswith("syn-")
    ]
    assert any(one.origin == "synthetic" for one in train), "no canary came in"
    yield "training examples without their origin", len(hidden)


def main() -> None:
    found = dict(outlets())
    for name, count in found.items():
        print(f"{count:3}  {name}")
    bare = photo_mark(photo(1))
    print(
        json.dumps(
            {
                "outlets": len(found),
                "unmarked": sum(found.values()),
                "canaries": CANARIES,
                "false_marks": int(bare is not None),
            }
        )
    )


if __name__ == "__main__":
    main()
