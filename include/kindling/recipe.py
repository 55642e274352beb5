"""Recipes: one YAML file says what a run does. Every stage's configuration stands here, frozen.

The configurations stand apart from the stage modules so that reading a recipe imports no stage
(and none of torch, Playwright or scikit-learn).
"""

from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    model_validator,
)

from kindling import extensions
from kindling.errors import ConfigurationError
from kindling.extensions import Kind


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class SourceEntry(_Frozen):
    """One place that reviews come from. Its own keys are checked by the source itself."""

    #: A file or folder of `kindling/sources/`, or what a package of the user's own names so.
    kind: str
    #: Sources of one namespace share products: one native id is one product. Empty: the first
    #: source's ids are taken as they are, every other source's are preceded by its name.
    namespace: str = ""
    options: dict[str, Any] = {}

    @model_validator(mode="before")
    @classmethod
    def _own_keys(cls, given: Any, info: ValidationInfo) -> Any:
        if not isinstance(given, dict):
            raise ValueError("a source is a mapping of keys, one of them `kind`")
        if "kind" not in given:
            raise ValueError(f"kind is missing; known: {', '.join(_source_kinds())}")
        own = {
            key: value
            for key, value in given.items()
            if key not in ("kind", "namespace", "options")
        }
        options = {**given.get("options", {}), **own}
        folder = (info.context or {}).get("folder")
        for key in ("path", "photos"):
            # A stage runs in a folder of its own: a path has to be a whole one.
            if folder and isinstance(options.get(key), str) and options[key]:
                options[key] = str((Path(folder) / options[key]).resolve())
        try:
            checked = extensions.options("source", str(given["kind"]), options)
        except ConfigurationError as error:
            raise ValueError(str(error)) from None
        return {
            "kind": given["kind"],
            "namespace": given.get("namespace", ""),
            "options": checked.model_dump(mode="json"),
        }


def _source_kinds() -> tuple[str, ...]:
    return extensions.names("source")


class ScrapeConfig(_Frozen):
    #: Fail when fewer reviews than this were collected.
    min_reviews: int = Field(1, ge=1)
    #: Fail when there are fewer reviews than this of a sentiment (1-2, 3, 4-5 stars).
    min_per_class: int = Field(0, ge=0)
    #: Pages asked for a night, over all sources; where they go is the policy's choice, and what it does
    #: not ask for is read from the last night's copy. None: every page of every source. A page that a
    #: browser draws after it was fetched counts once.
    page_budget: int | None = Field(None, ge=1)
    #: What a new row is divided by: "requests" or "cpu_s".
    cost: Literal["requests", "cpu_s"] = "requests"
    #: New rows per cost that a source has to be worth; below it rests, and is tried again later.
    rest_below: float = Field(0.01, ge=0)


class DedupeConfig(_Frozen):
    #: Character shingles, permutations, and Jaccard similarity from which two reviews are one.
    shingle: int = Field(5, ge=2)
    permutations: int = Field(128, ge=16)
    threshold: float = Field(0.8, gt=0, le=1)
    #: Folded texts with fewer characters are copies only word for word, and only within one product.
    short_text: int = Field(40, ge=0)
    #: Hamming distance of 64-bit perceptual hashes up to which two photos are one.
    photo_distance: int = Field(4, ge=0, le=16)
    golden_share: float = Field(0.15, gt=0, lt=0.5)
    validation_share: float = Field(0.12, gt=0, lt=0.5)
    #: A shared photo or text joins product groups up to this share of all reviews; beyond, what would
    #: cross the golden border is dropped on the other side.
    group_cap: float = Field(0.05, gt=0, le=1)
    #: Real reviews of a niche category that keep their stars in the train split; the rest are left
    #: out, so that the recipe is a cold start on a data set that is not one. None: all are kept.
    niche_seeds: int | None = None


class SynthesizeConfig(_Frozen):
    #: Rows wanted in all (real and synthetic) per niche category and sentiment; overridable per run.
    target_size: int = Field(150, ge=0)
    #: Synthetic rows of a run at most; where that is too few, every cell gets its fair part.
    max_rows: int = Field(2_000, ge=0)
    #: What is written next: what the grid lacks, what our own model misreads (out of fold), or cells
    #: drawn at random (the control).
    aim: Literal["deficit", "mistakes", "random"] = "deficit"
    #: Rounds of writing; between them the model learns from what is there, and writing stops by rule.
    rounds: int = Field(1, ge=1)
    #: Share of the train reviews that may have changed before all of it is done again; until then a
    #: night adds to what an earlier one wrote. 0: every night anew.
    refresh_share: float = Field(0.1, ge=0, le=1)
    #: Share of a row's word 5-grams that may stand in one other review, real or synthetic.
    max_copy_rate: float = Field(0.6, gt=0, le=1)
    #: Share of synthetic rows that get an edited photo, where the category has real photos.
    photo_share: float = Field(0.8, ge=0, le=1)
    #: Studies: a real train-split photo of any category, of an intact thing, shown in every condition to teach
    #: the image tower what damage looks like. Where there are fewer photos, some are studied again. No review's.
    studies: int = Field(640, ge=0)
    #: Who writes the reviews: a module of `synthesis/writers/`, or a package's entry point.
    writer: str = "recombination"
    writer_options: dict[str, Any] = {}
    #: Who edits the photos: a module of `synthesis/editors/`, or a package's entry point.
    editor: str = "drawn"
    editor_options: dict[str, Any] = {}

    @model_validator(mode="after")
    def _known(self) -> "SynthesizeConfig":
        # The defaults are known to fit, and importing this module shall import no writer.
        named = {"writer", "writer_options", "editor", "editor_options"}
        if not self.model_fields_set & named:
            return self
        try:
            extensions.options("writer", self.writer, self.writer_options)
            extensions.options("editor", self.editor, self.editor_options)
        except ConfigurationError as error:
            raise ValueError(str(error)) from None
        return self


class ChallengeConfig(_Frozen):
    folds: int = Field(5, ge=2)
    #: Share of the train reviews that may have changed before all of it is done again; until then a
    #: night adds to what an earlier one judged. 0: every night anew.
    refresh_share: float = Field(0.1, ge=0, le=1)
    #: Rows easier to tell than this out-of-fold P(synthetic) are not trained on.
    max_score: float = Field(0.98, gt=0, le=1)
    #: Share of a row's 5-grams that may stand in one real review.
    max_copy_rate: float = Field(0.6, gt=0, le=1)
    #: Confidence in the opposite polarity at which a model of real rows refuses a row. On clothing, 0.8
    #: refuses 64 % of rows whose polarity is false and 0.2 % of the true ones (n=1,732; 0.9: 45 %, 0.1 %).
    contradiction: float = Field(0.8, gt=0.5, le=1)
    #: Jaccard similarity (character 5-grams) to one real review above which a row is a copy of it. Of
    #: 240 real clothing reviews against 1,800 others none has more than .20; copies with every fourth
    #: word changed have .37 and more.
    max_jaccard: float = Field(0.35, gt=0, le=1)
    #: What an admitted row counts in training, against 1 for a real one, where the batch is not known
    #: to help; one that helps counts what helped most among `weights` (and this), one that harms 0.
    weight: float = Field(0.5, gt=0, le=1)
    weights: tuple[float, ...] = (0.25, 1.0)
    #: Real rows the synthetic ones are held against, at most this many for each of them.
    max_real_ratio: int = Field(3, ge=1)
    #: Fewer rows than this, of either side, cannot be challenged and are not trained on.
    min_rows: int = Field(10, ge=10)
    #: Cues reported; style cues tested again without; rows a side in these tests.
    cues: int = Field(15, ge=1)
    retested_cues: int = Field(3, ge=0)
    retest_rows: int = Field(1_000, ge=10)
    bootstrap: int = Field(500, ge=100)


class LabelConfig(_Frozen):
    accept: float = Field(0.9, gt=0.5, le=1)
    discard: float = Field(0.7, ge=0, lt=1)
    folds: int = Field(5, ge=2)
    #: Share of the train reviews that may have changed before all of it is done again; until then a
    #: night adds to what an earlier one labelled. 0: every night anew.
    refresh_share: float = Field(0.1, ge=0, le=1)
    #: How often the stars state the text's sentiment: their weight against the model. Lower values
    #: mostly thin out mixed praise: on clothing (10 splits by product, TF-IDF model) accepted rows alone
    #: cost polarity macro-F1 0.003 at 0.99, 0.010 at 0.97, 0.013 at 0.95, 0.017 at 0.85.
    star_reliability: float = Field(0.99, gt=0.34, lt=1)
    #: The same of a synthetic row's intended sentiment.
    intent_reliability: float = Field(0.9, gt=0.34, lt=1)
    #: Rows that a language model is asked about: half at random, to learn how far to believe it, half
    #: of those that the other voters leave in doubt. 0: none.
    llm_rows: int = Field(0, ge=0)

    @model_validator(mode="after")
    def _ordered(self) -> "LabelConfig":
        if self.discard >= self.accept:
            raise ValueError("discard must be below accept")
        if 0 < self.llm_rows < 100:
            raise ValueError(f"llm_rows: {self.llm_rows}; 0, or 100 at least")
        return self


class AppraiseConfig(_Frozen):
    #: Numbers of real niche rows at which the cold-start curve is drawn.
    points: tuple[int, ...] = (0, 10, 50, 200)
    #: Draws of products and seeds; 0 draws no curve, and admission is decided all the same.
    draws: int = Field(5, ge=0)
    #: Real rows of other categories and of the niche that take part at most: they decide the time.
    neighbours: int = Field(1500, ge=0)
    niche_rows: int = Field(1500, ge=0)
    #: When synthetic rows that the challenge let through are trained on: where they are shown to
    #: help, where they are not shown to harm, or without asking.
    use: Literal["helps", "unless harms", "always"] = "helps"


class TrainConfig(_Frozen):
    #: A folder of `modeling/`, or what a package adds under the group `kindling.classifiers`.
    model: str = "compact"
    #: The model's own settings; its `Options` say which there are.
    model_options: dict[str, Any] = {}
    #: Train at most this many rows; 0 for all.
    max_rows: int = Field(0, ge=0)

    @model_validator(mode="after")
    def _known(self) -> "TrainConfig":
        try:
            extensions.options("classifier", self.model, self.model_options)
        except ConfigurationError as error:
            raise ValueError(str(error)) from None
        return self


class EvaluateConfig(_Frozen):
    #: Said beside every figure that involves images; empty where photos are the reviewers' own.
    photo_note: str = ""


class PromoteConfig(_Frozen):
    #: Figure that the gate reads, and the bar for the lower bound of its 95 % interval.
    metric: Literal["polarity_macro_f1", "three_way_macro_f1"] = "polarity_macro_f1"
    bar: float = Field(0.85, ge=0, le=1)
    #: The lower bound of (candidate - champion) may not fall below minus this.
    tolerance: float = Field(0.02, ge=0)
    #: Below this many golden photos the image check is reported, not enforced.
    min_photos: int = Field(100, ge=1)
    #: Nats of log-loss that one temperature may save, and the gap between confidence and accuracy
    #: (root mean square, debiased) that may be shown.
    max_temperature_cost: float = Field(0.02, ge=0)
    max_calibration_error: float = Field(0.1, ge=0, le=1)
    #: Accuracy that texts written worse, photos taken worse and a photo of another product may cost.
    max_robustness_loss: float = Field(0.1, ge=0, le=1)
    max_photo_loss: float = Field(0.1, ge=0, le=1)
    max_wrong_photo_loss: float = Field(0.25, ge=0, le=1)
    #: Milliseconds of the 95th percentile of a single request; null: not asked.
    max_latency_ms: float | None = Field(None, gt=0)
    #: How much worse on the niche, in balanced accuracy, counts as no worse: there are few rows.
    niche_tolerance: float = Field(0.15, ge=0, le=1)
    #: Whether a model that did not pass may serve, marked as provisional, while there is no champion.
    provisional: bool = True


class IndexConfig(_Frozen):
    #: Recall@10 of the approximate search against the exact one, below which the alias does not move.
    min_recall: float = Field(0.9, gt=0, le=1)
    #: Queries behind that figure: first halves of sampled reviews.
    recall_queries: int = Field(50, ge=1)
    #: The version that serves counts as one, the one before it (for going back) as the second.
    keep_versions: int = Field(2, ge=1)


class Recipe(_Frozen):
    name: str
    summary: str
    #: Where reviews come from, one after the other.
    sources: tuple[SourceEntry, ...] = Field(min_length=1)
    seed: int = 20261121
    #: Categories in their cold start; the others are the neighbouring domain.
    niche: tuple[str, ...] = ()
    #: How stars become sentiments.
    label_scheme: Literal["1-2 negative, 3 neutral, 4-5 positive"] = (
        "1-2 negative, 3 neutral, 4-5 positive"
    )
    scrape: ScrapeConfig = ScrapeConfig()
    dedupe: DedupeConfig = DedupeConfig()
    synthesize: SynthesizeConfig = SynthesizeConfig()
    challenge: ChallengeConfig = ChallengeConfig()
    label: LabelConfig = LabelConfig()
    appraise: AppraiseConfig = AppraiseConfig()
    #: Made when asked for: its check imports the model's module.
    train: TrainConfig = Field(default_factory=TrainConfig)
    evaluate: EvaluateConfig = EvaluateConfig()
    promote: PromoteConfig = PromoteConfig()
    index: IndexConfig = IndexConfig()

    def settings_of(self, stage: str) -> dict[str, Any]:
        """Everything of the recipe that decides the stage's result, ready for JSON."""
        own: dict[str, Any] = getattr(self, stage).model_dump(mode="json")
        if stage == "scrape":
            own["sources"] = [one.model_dump(mode="json") for one in self.sources]
        if stage == "appraise":
            own["weight"] = self.challenge.weight
        return own

    def chosen(self, stage: str) -> tuple[tuple[Kind, str], ...]:
        """Kind and name of every extension that the stage uses."""
        if stage == "scrape":
            return tuple(("source", one.kind) for one in self.sources)
        if stage == "synthesize":
            chosen = self.synthesize
            return (("writer", chosen.writer), ("editor", chosen.editor))
        return ()


def names() -> list[str]:
    """The recipes that come with the package."""
    folder = resources.files("kindling") / "recipes"
    return sorted(
        entry.name.removesuffix(".yaml")
        for entry in folder.iterdir()
        if entry.name.endswith(".yaml")
    )


def load(name: str) -> Recipe:
    """The recipe called `name`, or the one in the YAML file at that path."""
    if name.endswith((".yaml", ".yml")):
        path: Any = Path(name)
    elif name in names():
        path = resources.files("kindling") / "recipes" / f"{name}.yaml"
    else:
        raise ConfigurationError(
            f"unknown recipe {name!r}; known: {', '.join(names())}, or a path to a .yaml file"
        )
    try:
        text = path.read_text(encoding="utf-8")
        content = yaml.safe_load(text)
    except FileNotFoundError:
        raise ConfigurationError(f"{path}: no such recipe file") from None
    except IsADirectoryError:
        raise ConfigurationError(f"{path}: a folder, not a recipe file") from None
    except UnicodeDecodeError as error:
        raise ConfigurationError(
            f"{path}: not UTF-8 (byte {error.start}); save it as UTF-8"
        ) from None
    except yaml.YAMLError as error:
        raise ConfigurationError(f"{path}: not valid YAML: {error}") from error
    if not isinstance(content, dict):
        raise ConfigurationError(
            f"{path}: a recipe is a mapping of keys, this is {type(content).__name__}"
        )
    try:
        return Recipe.model_validate(content, context={"folder": _folder(name)})
    except ValidationError as error:
        raise ConfigurationError(
            f"{path}: " + "; ".join(_problem(one, text) for one in error.errors())
        ) from None


def _folder(name: str) -> str | None:
    """The folder that a recipe's relative paths begin in: its own; None for a shipped recipe."""
    return (
        str(Path(name).resolve().parent) if name.endswith((".yaml", ".yml")) else None
    )


def _problem(error: Any, text: str) -> str:
    """One wrong key, with its line in the file, what is wrong with it and what is allowed."""
    key = ".".join(str(part) for part in error["loc"]) or "(whole file)"
    where = f"line {_line(text, error['loc'])}, {key}"
    if error["type"] == "extra_forbidden":
        owner: Any = Recipe
        for part in error["loc"][:-1]:
            owner = owner.model_fields[part].annotation
        return f"{where}: unknown key; allowed: {', '.join(owner.model_fields)}"
    if error["type"] == "missing":
        return f"{where}: missing"
    if error["type"] == "value_error":
        return f"{where}: {error['ctx']['error']}"
    return f"{where}: {error['msg']}, got {error['input']!r}"


def _line(text: str, keys: Sequence[int | str]) -> int:
    """The line, counted from 1, at which the innermost of these keys that is there begins."""
    node = yaml.compose(text, Loader=yaml.SafeLoader)
    line = 0
    for key in keys:
        if isinstance(node, yaml.MappingNode):
            pairs = [pair for pair in node.value if pair[0].value == str(key)]
        elif isinstance(node, yaml.SequenceNode) and isinstance(key, int):
            pairs = [(one, one) for one in node.value[key : key + 1]]
        else:
            pairs = []
        if not pairs:
            break
        name, node = pairs[0]
        line = name.start_mark.line
    return int(line) + 1
