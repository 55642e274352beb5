"""`python -m kindling coldstart`: the cold-start curve of any reviews with any generator, by itself."""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kindling import settings as environment
from kindling.errors import ConfigurationError, DataError

if TYPE_CHECKING:
    from kindling.coldstart.curve import Curve
    from kindling.coldstart.generators import Generator
    from kindling.coldstart.plan import Plan
    from kindling.coldstart.trials import Ask
    from kindling.records import Review

DESCRIPTION = """Draws what real, neighbouring and generated rows are worth to a niche: zero-shot, seeds
only, neighbours only, synthetic only, seeds and neighbours, the same with synthetic rows, and full
data, at several numbers of real rows, each paired by product with a verdict.

Generated rows come from one of: --rows, a CSV or JSONL file with `text`, `category`, `sentiment`
(or `rating`) and, where known, `sources` (ids of the reviews that a row was made from: without
them only copies are found out); --command, run once for each point and draw: it reads one JSON
object (`seed`, `cells`, `examples`) and prints one JSON object a row; --writer, a writer of this
product or of an installed package. Without any, the synthetic lines are left out."""


def add(commands: Any) -> None:
    """`coldstart`."""
    command = commands.add_parser(
        "coldstart",
        help="the cold-start curve of any reviews with any generator",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.add_argument("--data", required=True, help="a file or folder of reviews")
    command.add_argument("--niche", required=True, help="categories, comma-separated")
    source = command.add_mutually_exclusive_group()
    source.add_argument("--rows", type=Path, help="a file of generated rows")
    source.add_argument("--command", dest="run", help="a command that prints rows")
    source.add_argument("--writer", help="a writer by name, such as recombination")
    command.add_argument(
        "--zero-shot",
        choices=("encoder", "llm"),
        default="encoder",
        help="llm: the model of KINDLING_LLM_MODEL is asked about every niche row",
    )
    command.add_argument("--points", default="0,10,50,200", help="real rows")
    command.add_argument("--draws", type=int, default=5)
    command.add_argument("--neighbours", type=int, default=1500)
    command.add_argument("--niche-rows", type=int, default=1500)
    command.add_argument("--rows-a-cell", type=int, default=20)
    command.add_argument("--seed", type=int, default=0)
    command.add_argument(
        "--out", type=Path, help="folder that receives curve.json, .svg and .html"
    )
    command.add_argument("--json", action="store_true", help="print JSON only")
    command.set_defaults(act=_act)


def _act(arguments: argparse.Namespace) -> None:
    plan = _plan(arguments)
    settings = environment.from_environment()
    from kindling.coldstart.curve import draw_curve
    from kindling.coldstart.drawing import text_lines
    from kindling.modeling.device import set_threads
    from kindling.modeling.embedder import Embedder

    set_threads(settings.threads)
    niche, others, repeated = read(arguments.data, arguments.niche, arguments.seed)
    embedder = Embedder(Path(settings.text_model) if settings.text_model else None)
    generator = _generator(arguments)
    curve = draw_curve(
        niche,
        others,
        lambda texts: embedder.encode(list(texts)),
        generator,
        plan,
        _asked(arguments),
    )
    if arguments.out:
        save(curve, arguments.out)
    if arguments.json:
        print(json.dumps(curve.to_dict()))
        return
    if repeated:
        print(f"{repeated} rows repeat another's text and were left out.")
    print("\n".join(text_lines(curve)))
    if arguments.out:
        print(f"written: {arguments.out}/curve.json, curve.svg, curve.html")


def _plan(arguments: argparse.Namespace) -> "Plan":
    from kindling.coldstart.plan import Plan

    given = [one.strip() for one in arguments.points.split(",")]
    if not all(one.isdigit() for one in given):
        raise ConfigurationError(
            f"--points {arguments.points!r}; whole numbers from 0 are wanted, such as 0,10,50"
        )
    if arguments.draws < 1:
        raise ConfigurationError(f"--draws {arguments.draws}; at least 1 is wanted")
    return Plan(
        points=tuple(sorted({int(one) for one in given})),
        draws=arguments.draws,
        neighbours=arguments.neighbours,
        niche_rows=arguments.niche_rows,
        rows_a_cell=arguments.rows_a_cell,
        seed=arguments.seed,
    )


def read(
    data: str, niche: str, seed: int
) -> tuple[list["Review"], list["Review"], int]:
    """Reviews of the niche, those of other categories, and how many repeat another's text."""
    from kindling.ports.source import SourceTools, require_categories
    from kindling.sources.files import Options
    from kindling.sources.files.collecting import Files

    if not Path(data).exists():
        raise ConfigurationError(f"--data {data}: no such file or folder")
    # Photos are not looked at, so nothing is asked of the tools.
    tools = SourceTools(None, None, seed, "", None)  # type: ignore[arg-type]
    reviews = Files(Options(path=str(Path(data).resolve())), tools).survey().reviews
    if not reviews:
        raise DataError(f"{data} holds no review")
    wanted = [one.strip() for one in niche.split(",") if one.strip()]
    require_categories(wanted, [row.category for row in reviews], "--niche")
    by_text: dict[str, Review] = {}
    for row in reviews:
        by_text.setdefault(" ".join(row.text.lower().split()), row)
    once = list(by_text.values())
    return (
        [row for row in once if row.category in wanted],
        [row for row in once if row.category not in wanted],
        len(reviews) - len(once),
    )


def _generator(arguments: argparse.Namespace) -> "Generator":
    from kindling.coldstart.generators import ByCommand, FromRows
    from kindling.coldstart.written import read_rows

    if arguments.rows:
        return FromRows(arguments.rows.name, read_rows(arguments.rows))
    if arguments.run:
        return ByCommand(arguments.run)
    if arguments.writer:
        from kindling.stages.writing import ByWriter

        return ByWriter(arguments.writer, {}, _llm())
    return FromRows("none", [])


def _asked(arguments: argparse.Namespace) -> "Ask | None":
    """The language model as zero-shot line, where it is wanted."""
    if arguments.zero_shot == "encoder":
        return None
    llm = _llm()
    if llm is None:
        raise ConfigurationError(
            "--zero-shot llm needs a language model: set KINDLING_LLM_MODEL"
        )
    from kindling.labelling.asking import Voter

    voter, seed = Voter(llm), arguments.seed
    return lambda texts: voter.votes(texts, seed)


def _llm() -> Any:
    """The language model of the environment, its calls remembered for as long as this lasts."""
    settings = environment.from_environment()
    if not settings.llm.model:
        return None
    from kindling import wiring

    return wiring.unmetered(settings)


def save(curve: "Curve", folder: Path) -> Sequence[Path]:
    """curve.json, curve.svg and curve.html."""
    from kindling.coldstart.drawing import page, svg

    folder.mkdir(parents=True, exist_ok=True)
    contents = {
        "curve.json": json.dumps(curve.to_dict(), indent=1),
        "curve.svg": svg(curve).replace(
            "<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ', 1
        ),
        "curve.html": page(curve),
    }
    for name, content in contents.items():
        (folder / name).write_text(content, encoding="utf-8")
    return [folder / name for name in contents]
