"""The stages as commands: the same arguments on a laptop, in a container and in a pod."""

import argparse
import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kindling import recipe as recipes
from kindling import settings as environment
from kindling.catalog import STAGE_ENVIRONMENT, STAGES
from kindling.errors import ConfigurationError
from kindling.records import StageReport

if TYPE_CHECKING:
    from kindling.stages.contract import Shard

RUN_PARAMETERS = ("recipe", "niche", "target_size")

ENVIRONMENT = (
    "Where rows, objects and models live is read from the environment, of which the stage needs "
    f"some: {', '.join(STAGE_ENVIRONMENT)}. Example: python -m kindling scrape --run night-1 "
    "--recipe smoke. Exit codes: 0 done, 75 try again later, anything else is final."
)


def add(commands: Any) -> None:
    """One command a stage, all with the same flags."""
    for stage in STAGES:
        command = commands.add_parser(
            stage.name,
            help=stage.summary,
            description=f"{stage.name}: {stage.summary}.",
            epilog=ENVIRONMENT,
        )
        _add_flags(command)
        command.set_defaults(act=run)


def _add_flags(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--run",
        required=True,
        help="run id; a rerun with the same inputs is a no-op",
    )
    command.add_argument(
        "--recipe",
        required=True,
        help=f"one of {', '.join(recipes.names())}, or a .yaml file",
    )
    command.add_argument(
        "--niche",
        default="",
        help="categories in cold start, comma-separated; empty: the recipe's",
    )
    command.add_argument(
        "--target-size",
        default="",
        help="rows wanted per niche and sentiment; empty: the recipe's",
    )
    command.add_argument(
        "--conf",
        default="",
        help="the DAG run's conf as JSON; unknown parameters are refused",
    )
    command.add_argument(
        "--shard",
        default="0/1",
        help="which part of the stage's work, as INDEX/COUNT from 0/2 and 1/2 on",
    )


def run(arguments: argparse.Namespace) -> None:
    """Run the stage, print its report, and write it where the task that runs it reads it."""
    from kindling import wiring
    from kindling.stages.contract import Context
    from kindling.stages.runner import run_stage, take_part

    settings = environment.from_environment()
    refuse_unknown(arguments.conf, RUN_PARAMETERS)
    recipe = recipes.load(arguments.recipe)
    niche = (
        tuple(part.strip() for part in arguments.niche.split(",") if part.strip())
        or recipe.niche
    )
    target_size = (
        _whole(arguments.target_size)
        if arguments.target_size
        else recipe.synthesize.target_size
    )
    shard = shard_of(arguments.shard, arguments.command)
    llm = f"{settings.llm.model} {settings.llm.url}".strip()
    context = Context(
        arguments.run, recipe, niche, target_size, recipe.seed, shard, llm
    )
    rows = wiring.rows(settings)
    if settings.nodes.rank:
        take_part(arguments.command, context, rows, wiring.hand(settings))
        return
    rows.begin_run(
        arguments.run, recipe.name, {"niche": list(niche), "target_size": target_size}
    )
    report = run_stage(arguments.command, context, rows, wiring.hand(settings))
    write_report(report, settings.report_path)


def shard_of(value: str, stage: str) -> "Shard":
    """The part of `stage` that INDEX/COUNT names; ConfigurationError where it names none."""
    from kindling.stages.contract import Shard

    index, _, of = value.partition("/")
    if not (index.isdigit() and of.isdigit() and int(index) < int(of)):
        raise ConfigurationError(
            f"{stage} --shard {value!r}; allowed: INDEX/COUNT with INDEX below COUNT, such as 0/2"
        )
    return Shard(int(index), int(of))


def write_report(report: StageReport, path: str) -> None:
    """Print it, and write it where the task that runs the stage reads it."""
    content = json.dumps(report.to_dict(), default=_jsonable)
    print(content)
    if path:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).write_text(content, encoding="utf-8")


def _jsonable(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return dataclasses.asdict(value)
    raise TypeError(f"a stage report holds {value!r}, which is not JSON")


def refuse_unknown(conf: str, allowed: Sequence[str]) -> None:
    """ConfigurationError where a DAG run's conf, as JSON, names a parameter that is not allowed."""
    # Airflow checks the parameters it knows and lets any other key through in silence.
    try:
        content = json.loads(conf or "{}") or {}
    except json.JSONDecodeError as error:
        raise ConfigurationError(f"--conf is not JSON: {error}") from None
    if not isinstance(content, dict):
        raise ConfigurationError(
            f"--conf is {type(content).__name__}; a JSON object of parameters is wanted"
        )
    unknown = sorted(set(content) - set(allowed))
    if unknown:
        raise ConfigurationError(
            f"unknown parameter {', '.join(unknown)}; allowed: {', '.join(allowed)}"
        )


def _whole(value: str) -> int:
    if not value.isdigit():
        raise ConfigurationError(
            f"target size {value!r}; a whole number from 0 is wanted"
        )
    return int(value)
