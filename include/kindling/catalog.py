"""The stages and what each stands on: the one thing Airflow's side knows of the product at parse time.

Standard library only, so that parsing a DAG file costs nothing.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

EXIT_DONE = 0
EXIT_RETRY = 75

#: The one environment that both runtimes hand to a stage; `settings.py` says what each name means.
STAGE_ENVIRONMENT = (
    "KINDLING_DATABASE_URL",
    "KINDLING_OBJECTS_URL",
    "KINDLING_SHOP_URL",
    "KINDLING_CHROMIUM",
    "KINDLING_LIGHTPANDA",
    "KINDLING_KEYWORDS",
    "KINDLING_KEYWORDS_DIR",
    "KINDLING_ELASTICSEARCH_URL",
    "KINDLING_MLFLOW_URL",
    "KINDLING_TEXT_MODEL",
    "KINDLING_THREADS",
    "KINDLING_LLM_URL",
    "KINDLING_LLM_MODEL",
    "KINDLING_LLM_API_KEY",
    "KINDLING_LLM_MAX_TOKENS",
    "KINDLING_LLM_MAX_COST",
    "KINDLING_LLM_PROMPT_PRICE",
    "KINDLING_LLM_COMPLETION_PRICE",
    "KINDLING_LLM_PER_MINUTE",
    "KINDLING_LLM_TIMEOUT_S",
)

#: Folders and modules of the package that every stage's result depends on.
SHARED_CODE = (
    "errors.py",
    "extensions.py",
    "figures.py",
    "measure",
    "observe",
    "pictures.py",
    "ports",
    "records.py",
    "stages/contract.py",
    "stages/nights.py",
    "stages/runner.py",
    "stages/shards.py",
    "stages/view.py",
)


@dataclass(frozen=True)
class Stage:
    """One step of the nightly run: what it stands on, what it is handed, what its machine must have."""

    name: str
    summary: str
    #: Stages whose committed rows it reads. It can run as soon as they have.
    after: tuple[str, ...]
    #: What `wiring` hands it, by name; its module declares the same as a Protocol, and gets no more.
    needs: tuple[str, ...]
    #: Folders and modules of the package that decide its result, besides SHARED_CODE and its own module.
    code: tuple[str, ...]
    #: Extras of the package that its image needs.
    extras: tuple[str, ...]
    #: Requests of the pod: cores, GiB of memory, GPUs.
    cpu: float
    memory_gib: float
    gpu: int = 0
    timeout_minutes: int = 60
    #: Airflow pool; `heavy` has one slot on a laptop, since a training run wants every core.
    pool: str = "default_pool"
    #: Whether it can be split into shards that run side by side.
    shards: bool = False
    #: Whether rows, configuration and code decide its result and nothing else: on a night
    #: without a change it stands on the night before.
    settled: bool = False


STAGES: tuple[Stage, ...] = (
    Stage(
        "scrape",
        "collect reviews and photos from the recipe's sources",
        after=(),
        needs=(
            "objects",
            "standing",
            "tombstones",
            "shop_url",
            "chromium",
            "lightpanda",
            "frontier",
            "adviser",
        ),
        code=(
            "addresses.py",
            "mappings",
            "quality",
            "scraping",
            "sources",
            "stages/burial.py",
            "stages/niche.py",
            "stages/source_health.py",
            "stages/strategy.py",
        ),
        extras=("scrape",),
        cpu=1,
        memory_gib=2,
        shards=True,
    ),
    Stage(
        "dedupe",
        "drop copies, cluster near-duplicates, split by product",
        after=("scrape",),
        needs=("unsplit", "objects", "standing", "bands"),
        code=(
            "dedupe",
            "scraping/policy",
            "stages/likeness.py",
            "stages/membership.py",
            "stages/strategy.py",
        ),
        extras=("dedupe",),
        cpu=1,
        memory_gib=2,
        settled=True,
    ),
    Stage(
        "synthesize",
        "fill the class deficit of the niche with new text and photos",
        after=("scrape", "dedupe"),
        needs=("view", "earlier", "objects", "threads", "llm"),
        code=(
            "mappings",
            "prompts",
            "quality",
            "stages/carry.py",
            "stages/kept_synthesis.py",
            "stages/niche.py",
            "stages/synthesis_sources.py",
            "synthesis",
        ),
        extras=("synthesize",),
        cpu=1,
        memory_gib=2,
        shards=True,
        settled=True,
    ),
    Stage(
        "challenge",
        "try to tell synthetic from real; admit only what passes",
        after=("dedupe", "synthesize"),
        needs=("view", "earlier"),
        code=("challenge", "stages/carry.py", "stages/kept_verdicts.py"),
        extras=("learn",),
        cpu=2,
        memory_gib=4,
        settled=True,
    ),
    Stage(
        "label",
        "stars and a model vote: accept, review or discard",
        after=("dedupe", "challenge"),
        needs=("view", "earlier", "llm"),
        code=(
            "labelling",
            "mappings",
            "quality",
            "stages/balloting.py",
            "stages/carry.py",
        ),
        extras=("learn", "ask"),
        cpu=2,
        memory_gib=4,
        settled=True,
    ),
    Stage(
        "appraise",
        "the cold-start curve; synthetic rows that do not help are left out",
        after=("label", "synthesize"),
        needs=("view", "embeddings", "text_model", "threads"),
        code=("coldstart", "modeling", "stages/embedding.py"),
        extras=("train", "learn"),
        cpu=2,
        memory_gib=4,
        pool="heavy",
        settled=True,
    ),
    Stage(
        "train",
        "baseline and compact text+image model",
        after=("label", "synthesize", "appraise"),
        needs=("view", "objects", "registry", "text_model", "threads", "nodes"),
        code=(
            "dedupe/shingles.py",
            "evaluation",
            "modeling",
            "prompts",
            "stages/golden.py",
            "stages/training_set.py",
        ),
        extras=("train", "learn"),
        cpu=2,
        memory_gib=8,
        gpu=1,
        timeout_minutes=240,
        pool="heavy",
        settled=True,
    ),
    Stage(
        "evaluate",
        "figures with intervals on the golden holdout, and one report",
        after=("train",),
        needs=("view", "holdout", "objects", "registry", "standing", "threads"),
        code=(
            "coldstart",
            "dedupe/shingles.py",
            "evaluation",
            "modeling",
            "stages/golden.py",
        ),
        extras=("train", "learn", "report"),
        cpu=2,
        memory_gib=8,
        gpu=1,
        pool="heavy",
        settled=True,
    ),
    Stage(
        "promote",
        "the gate: move the alias `champion`, or say why not",
        after=("evaluate",),
        needs=("view", "registry", "standing"),
        code=("evaluation",),
        extras=("train",),
        cpu=1,
        memory_gib=2,
    ),
    Stage(
        "index",
        "project reviews into the vector and keyword indexes, then swap",
        after=("label",),
        needs=(
            "searchable",
            "keywords",
            "vectors",
            "alias",
            "embeddings",
            "text_model",
            "threads",
        ),
        code=("modeling", "stages/embedding.py"),
        extras=("train", "index"),
        cpu=2,
        memory_gib=4,
        pool="heavy",
    ),
)

STAGE_NAMES = tuple(stage.name for stage in STAGES)

_TRAIN = next(one for one in STAGES if one.name == "train")

#: Steps of a search for settings, on a machine as training has it: no part of the nightly chain, and
#: nothing that they do is committed.
SEARCH_STEPS = (
    replace(
        _TRAIN,
        name="trials",
        summary="trainings with other settings, poor ones stopped early",
        after=(),
        needs=(),
        code=(),
        shards=True,
        settled=False,
    ),
    replace(
        _TRAIN,
        name="verdict",
        summary="the best settings against the recipe's",
        after=("trials",),
        needs=(),
        code=(),
        settled=False,
    ),
)


def stage(name: str) -> Stage:
    """The stage or step called `name`; KeyError with the known names otherwise."""
    known = (*STAGES, *SEARCH_STEPS)
    for candidate in known:
        if candidate.name == name:
            return candidate
    names = ", ".join(one.name for one in known)
    raise KeyError(f"unknown stage {name!r}; known: {names}")


def edges() -> Iterator[tuple[str, str]]:
    """Pairs (before, after) that a scheduler has to draw: those that no longer way implies."""
    above = {one.name: set(upstream(one.name)) for one in STAGES}
    for one in STAGES:
        for before in one.after:
            if not any(before in above[other] for other in one.after):
                yield before, one.name


def upstream(name: str) -> tuple[str, ...]:
    """Every stage that the named one stands on, near or far, in the order of the chain."""
    found: set[str] = set()
    for before in stage(name).after:
        found |= {before, *upstream(before)}
    return tuple(one for one in STAGE_NAMES if one in found)
