"""Files of reviews: CSV, TSV, JSON, JSONL, Parquet, each also as .gz, or a folder of them."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from kindling.ports.source import Source, SourceTools

MEANINGS = (
    "id",
    "body",
    "title",
    "stars",
    "product_id",
    "product_name",
    "category",
    "date",
    "photo",
    "language",
)


class Options(BaseModel):
    """What a recipe may say of files."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    #: A file, or a folder of files; relative paths begin at the recipe's folder.
    path: str
    #: Name in reports and in the ids of a second source's products. Empty: the file's name.
    name: str = ""
    #: Meaning -> column, where the names do not tell; see MEANINGS.
    columns: dict[str, str] = {}
    #: What a cell of the stars says -> whole stars, such as `positive: 5`.
    stars: dict[str, int] = {}
    #: Full marks of ratings that state none. None: told from the column.
    full_marks: float | None = Field(None, ge=2, le=100)
    #: Empty: told from the file.
    delimiter: str = Field("", max_length=1)
    encoding: str = ""
    #: Category of rows that name none.
    category: str = ""
    #: What a product is: what a column names, a file, or every review by itself. The holdout is
    #: split by it. `auto` takes the column where it names enough products to split by.
    products: Literal["auto", "column", "file", "review"] = "auto"
    #: Only reviews told to be in one of these languages, as ISO 639-1. Empty: all.
    languages: tuple[str, ...] = ()
    #: Folder of the photos that are given by file name. Empty: the folder of the file.
    photos: str = ""
    #: Photos fetched by address at most.
    max_photos: int = Field(2_000, ge=0)
    max_rows: int = Field(1_000_000, ge=1)

    @field_validator("columns")
    @classmethod
    def _known_meanings(cls, columns: dict[str, str]) -> dict[str, str]:
        unknown = sorted(set(columns) - set(MEANINGS))
        if unknown:
            raise ValueError(
                f"unknown meaning {', '.join(unknown)}; allowed: {', '.join(MEANINGS)}"
            )
        return columns

    @field_validator("stars")
    @classmethod
    def _whole_stars(cls, stars: dict[str, int]) -> dict[str, int]:
        if wrong := [one for one in stars.values() if not 1 <= one <= 5]:
            raise ValueError(f"{wrong[0]} is no number of stars from 1 to 5")
        return {name.casefold(): value for name, value in stars.items()}

    @field_validator("encoding")
    @classmethod
    def _known_encoding(cls, encoding: str) -> str:
        import codecs

        try:
            return codecs.lookup(encoding).name if encoding else ""
        except LookupError:
            raise ValueError(f"unknown encoding {encoding!r}") from None


def source(options: Options, tools: SourceTools) -> Source:
    """The files at the options' path."""
    from kindling.sources.files.collecting import Files

    return Files(options, tools)
