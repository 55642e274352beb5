"""Findings of files, by the reader that the run itself uses."""

from pathlib import Path

from kindling.look.findings import Findings, Part, Recognised
from kindling.look.verdict import languages_to_keep
from kindling.ports.source import SourceTools
from kindling.sources.files import Options
from kindling.sources.files.collecting import Files, Survey


def look_at(
    path: Path, given: str, tools: SourceTools, own_weights: bool = False
) -> tuple[Findings, Options]:
    """What the files hold, and the options with which a run would read the same.

    `own_weights`: the text model is not the pinned one, so no language is left out.
    """
    chosen = Options(path=str(path.resolve()))
    survey = Files(chosen, tools).survey()
    languages = () if own_weights else languages_to_keep(survey.languages)
    fixed = chosen.model_copy(
        update={"products": survey.products, "languages": languages}
    )
    if fixed.languages != chosen.languages:
        survey = Files(fixed, tools).survey()
    return _findings(survey, given), fixed


def _findings(survey: Survey, given: str) -> Findings:
    named = sum(bool(names) for names in survey.rows.pictures.values())
    return Findings(
        given=given,
        parts=[
            Part(
                name=one.file,
                reading=one.table.reading,
                shape=one.shape,
                columns=[
                    Recognised(column.meaning, column.name, column.how, column.example)
                    for column in one.columns.by_meaning.values()
                ],
                unread=one.columns.unread,
                notes=[*one.columns.notes, *_notes(one.best, one.order)],
            )
            for one in survey.files
        ],
        found=survey.rows.found,
        reviews=survey.reviews,
        rejections=survey.rows.rejections,
        products=len(survey.rows.products),
        products_are=survey.products,
        products_named=survey.named_products,
        languages=dict(survey.languages.most_common()),
        photos_named=named,
    )


def _notes(best: float | None, order: str) -> list[str]:
    found = []
    if best:
        found.append(f"stars run to {best:g}: read as shares of {best:g}")
    if order == "month first":
        found.append("dates begin with the month")
    return found
