"""The stages and their order: the one thing Airflow's side knows of the product at parse time.

Standard library only, so that parsing a DAG file costs nothing.
"""

from dataclasses import dataclass

EXIT_DONE = 0
EXIT_RETRY = 75

#: The one environment that both runtimes hand to a stage; `settings.py` says what each name means.
STAGE_ENVIRONMENT = (
    "KINDLING_DATABASE_URL",
    "KINDLING_OBJECTS_URL",
    "KINDLING_SHOP_URL",
    "KINDLING_CHROMIUM",
    "KINDLING_KEYWORDS",
    "KINDLING_KEYWORDS_DIR",
    "KINDLING_ELASTICSEARCH_URL",
    "KINDLING_MLFLOW_URL",
    "KINDLING_TEXT_MODEL",
    "KINDLING_THREADS",
)


@dataclass(frozen=True)
class Stage:
    """One step of the nightly run: what it does, and what a machine must give it."""

    name: str
    summary: str
    #: Extra of the package that the stage's image needs.
    extras: tuple[str, ...]
    #: Requests of the pod: cores, GiB of memory, GPUs.
    cpu: float
    memory_gib: float
    gpu: int = 0
    timeout_minutes: int = 60
    #: Airflow pool; `heavy` has one slot on a laptop, since a training run wants every core.
    pool: str = "default_pool"


STAGES: tuple[Stage, ...] = (
    Stage(
        "scrape", "collect reviews and photos from the shop's pages", ("scrape",), 1, 2
    ),
    Stage(
        "dedupe",
        "drop copies, cluster near-duplicates, split by product",
        ("dedupe",),
        1,
        2,
    ),
    Stage(
        "synthesize",
        "fill the class deficit of the niche with new text and photos",
        ("synthesize",),
        1,
        2,
    ),
    Stage(
        "challenge",
        "try to tell synthetic from real; admit only what passes",
        ("learn",),
        2,
        4,
    ),
    Stage(
        "label", "stars and a model vote: accept, review or discard", ("learn",), 2, 4
    ),
    Stage(
        "train",
        "baseline and compact text+image model",
        ("train", "learn"),
        2,
        8,
        gpu=1,
        timeout_minutes=240,
        pool="heavy",
    ),
    Stage(
        "evaluate",
        "figures with intervals on the golden holdout, and one report",
        ("train", "learn", "report"),
        2,
        8,
        gpu=1,
        pool="heavy",
    ),
    Stage(
        "promote",
        "the gate: move the alias `champion`, or say why not",
        ("train",),
        1,
        2,
    ),
    Stage(
        "index",
        "project reviews into the vector and keyword indexes, then swap",
        ("train", "index"),
        2,
        4,
        pool="heavy",
    ),
)

STAGE_NAMES = tuple(stage.name for stage in STAGES)


def stage(name: str) -> Stage:
    """The stage called `name`; KeyError with the known names otherwise."""
    for candidate in STAGES:
        if candidate.name == name:
            return candidate
    raise KeyError(f"unknown stage {name!r}; known: {', '.join(STAGE_NAMES)}")
