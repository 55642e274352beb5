"""The command line: `python -m kindling <stage> --run R --recipe NAME`, the same everywhere."""

import argparse
import dataclasses
import json
import logging
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kindling import recipe as recipes
from kindling import settings as environment
from kindling.catalog import STAGES
from kindling.errors import ConfigurationError, KindlingError
from kindling.records import StageReport

if TYPE_CHECKING:
    from kindling.stages.contract import Shard

RUN_PARAMETERS = ("recipe", "niche", "target_size")
EXIT_NO_CHAMPION = 3

#: Libraries that would call home, draw progress bars into task logs, or look for git and hubs.
LIBRARY_SETTINGS = {
    "GIT_PYTHON_REFRESH": "quiet",
    "GX_ANALYTICS_ENABLED": "false",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    # Threads that spin while they wait starve each other as soon as anything else wants a core.
    "OMP_WAIT_POLICY": "PASSIVE",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "TOKENIZERS_PARALLELISM": "false",
}


def main(argv: list[str] | None = None) -> int:
    for name, value in LIBRARY_SETTINGS.items():
        os.environ.setdefault(name, value)
    logging.basicConfig(
        level=logging.INFO,
        stream=sys.stderr,
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
    )
    for noisy in ("httpx", "great_expectations", "alembic", "elastic_transport"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    arguments = _parser().parse_args(argv)
    try:
        return arguments.act(arguments) or 0
    except KindlingError as error:
        print(f"kindling {arguments.command}: {error}", file=sys.stderr)
        return error.exit_code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m kindling", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="command")
    for stage in STAGES:
        command = commands.add_parser(stage.name, help=stage.summary)
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
        command.set_defaults(act=_stage)
    migrate = commands.add_parser("migrate", help="apply sql/migrations")
    migrate.add_argument("--folder", type=Path, default=_migrations())
    migrate.set_defaults(act=_migrate)
    look = commands.add_parser(
        "look", help="show what a file, a folder or a shop holds, and write its recipe"
    )
    what = look.add_mutually_exclusive_group(required=True)
    what.add_argument("--data", default="", help="a file or folder of reviews")
    what.add_argument("--shop", default="", help="address of a shop")
    look.add_argument(
        "--out", type=Path, default=Path("var/recipes"), help="folder of the recipe"
    )
    look.set_defaults(act=_look)
    show = commands.add_parser("recipe", help="print a recipe, resolved")
    show.add_argument("name")
    show.add_argument(
        "--json",
        action="store_true",
        help="accepted for scripts; the output is JSON either way",
    )
    show.set_defaults(
        act=lambda a: print(recipes.load(a.name).model_dump_json(indent=2))
    )
    commands.add_parser(
        "champion", help="print the serving model's version"
    ).set_defaults(act=_champion)
    serve = commands.add_parser("serve", help="answer POST /analyze with the champion")
    serve.add_argument("--host", default="127.0.0.1")
    serve.add_argument("--port", type=int, default=8000)
    serve.set_defaults(act=_serve)
    _add_key(commands)
    return parser


def _add_key(commands: Any) -> None:
    key = commands.add_parser("key", help="add a key for the endpoint and print it")
    key.add_argument("--file", type=Path, required=True, help="KINDLING_API_KEYS")
    key.add_argument(
        "--scopes",
        default="analyze,search",
        help="of analyze, search, feedback, observe",
    )
    key.add_argument("--per-minute", type=int, default=600)
    key.add_argument("--note", default="", help="whose it is")
    key.set_defaults(act=_key)


def _stage(arguments: argparse.Namespace) -> None:
    from kindling import wiring
    from kindling.stages.contract import Context
    from kindling.stages.runner import run_stage

    settings = environment.from_environment()
    _refuse_unknown(arguments.conf)
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
    context = Context(
        arguments.run,
        recipe,
        niche,
        target_size,
        recipe.seed,
        _shard(arguments.shard, arguments.command),
    )
    rows = wiring.rows(settings)
    rows.begin_run(
        arguments.run, recipe.name, {"niche": list(niche), "target_size": target_size}
    )
    report = run_stage(arguments.command, context, rows, wiring.hand(settings))
    _write_report(report, settings.report_path)


def _shard(value: str, stage: str) -> "Shard":
    from kindling.stages.contract import Shard

    index, _, of = value.partition("/")
    if not (index.isdigit() and of.isdigit() and int(index) < int(of)):
        raise ConfigurationError(
            f"{stage} --shard {value!r}; allowed: INDEX/COUNT with INDEX below COUNT, such as 0/2"
        )
    return Shard(int(index), int(of))


def _write_report(report: StageReport, path: str) -> None:
    content = json.dumps(report.to_dict(), default=_jsonable)
    print(content)
    if path:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).write_text(content, encoding="utf-8")


def _jsonable(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return dataclasses.asdict(value)
    raise TypeError(f"a stage report holds {value!r}, which is not JSON")


def _refuse_unknown(conf: str) -> None:
    # Airflow checks the parameters it knows and lets any other key through in silence.
    try:
        content = json.loads(conf or "{}") or {}
    except json.JSONDecodeError as error:
        raise ConfigurationError(f"--conf is not JSON: {error}") from None
    if not isinstance(content, dict):
        raise ConfigurationError(
            f"--conf is {type(content).__name__}; a JSON object of parameters is wanted"
        )
    unknown = sorted(set(content) - set(RUN_PARAMETERS))
    if unknown:
        raise ConfigurationError(
            f"unknown parameter {', '.join(unknown)}; allowed: {', '.join(RUN_PARAMETERS)}"
        )


def _whole(value: str) -> int:
    if not value.isdigit():
        raise ConfigurationError(
            f"target size {value!r}; a whole number from 0 is wanted"
        )
    return int(value)


def _migrations() -> Path:
    return Path(__file__).resolve().parents[2] / "sql" / "migrations"


def _migrate(arguments: argparse.Namespace) -> None:
    from kindling.stores.migrations import migrate

    applied = migrate(
        environment.from_environment().required("database_url"), arguments.folder
    )
    print(f"applied {', '.join(applied)}" if applied else "nothing to apply")


def _look(arguments: argparse.Namespace) -> None:
    from kindling.look.command import look

    look(
        arguments.data,
        arguments.shop,
        arguments.out,
        environment.from_environment(),
    )


def _champion(arguments: argparse.Namespace) -> int:
    from kindling import wiring

    champion = wiring.registry(environment.from_environment()).champion()
    if champion is None:
        print("no champion yet: run the pipeline first", file=sys.stderr)
        return EXIT_NO_CHAMPION
    print(json.dumps(dataclasses.asdict(champion)))
    return 0


def _serve(arguments: argparse.Namespace) -> int:
    from kindling.serving.server import serve

    return serve(environment.from_environment(), arguments.host, arguments.port)


def _key(arguments: argparse.Namespace) -> None:
    from kindling.serving.keys import make_key

    scopes = [one.strip() for one in arguments.scopes.split(",") if one.strip()]
    print(make_key(arguments.file, scopes, arguments.per_minute, arguments.note))


if __name__ == "__main__":
    sys.exit(main())
