"""The manifest of what a model is trained on, kept with the model so that its rows can be named later."""

from kindling.catalog import STAGE_NAMES
from kindling.observe.row_hashes import row_sha256, text_sha256
from kindling.ports.classifier import TrainingData
from kindling.ports.registry import TrainingRow, TrainingSet
from kindling.records import Example
from kindling.stages.contract import Context
from kindling.stages.view import RunView


def training_set(context: Context, data: TrainingData, view: RunView) -> TrainingSet:
    """Every row of the training data, with the stages that made it; rows as in `data`."""
    sources = {
        one.review.review_id: one.synthesis.source_review_ids
        for one in view.synthetic()
    }
    return TrainingSet(
        run_id=context.run_id,
        recipe=context.recipe.name,
        rows=tuple(
            _row(one, sources.get(one.review_id, ()))
            for one in (*data.train, *data.validation)
        ),
        studies={one.study_id: one.base_photo_id for one in data.studies},
        versions=_versions(view),
    )


def _row(example: Example, sources: tuple[str, ...]) -> TrainingRow:
    return TrainingRow(
        review_id=example.review_id,
        part="validation" if example.split == "validation" else "train",
        row_sha256=row_sha256(example),
        text_sha256=text_sha256(example.text),
        origin=example.origin,
        sentiment=example.sentiment,
        weight=example.weight,
        photo_id=example.photo_id,
        sources=sources,
    )


def _versions(view: RunView) -> dict[str, str]:
    """Hashes of inputs and code of every stage before the training, as the record holds them."""
    found = {}
    for stage in STAGE_NAMES[: STAGE_NAMES.index("train")]:
        report = view.report(stage)
        if report is not None:
            found[f"{stage}.inputs"] = report.inputs_sha256
            found[f"{stage}.code"] = report.code_sha256
    return found
