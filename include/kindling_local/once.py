"""The pipeline once, on an installation that is up: run it, ask the champion, tell all of it."""

import json
import time
from dataclasses import dataclass
from typing import Any

import fsspec
from rich.console import Console

from kindling_local import pipeline, startup, summary
from kindling_local.airflow_client import DAG
from kindling_local.answer import Question, ask, of_catalogue
from kindling_local.errors import SupervisorError
from kindling_local.layout import require_free_ports
from kindling_local.memory import MemorySampler
from kindling_local.progress import seconds, view
from kindling_local.startup import Installation, Recipe
from kindling_local.state import process
from kindling_local.summary import plain

BROWSER_HINT = (
    "sudo apt-get install chromium, or without root .venv/bin/playwright install chromium, or "
    "Lightpanda (AGPL): .venv/bin/uv pip install --python .venv/bin/python lightpanda"
)


@dataclass(frozen=True)
class Wanted:
    """What the command line asks for."""

    #: Empty: the default, or the one that is written for `data` or `shop`.
    recipe: str
    data: str
    niche: str
    target_size: int | None
    shop: str = ""

    def conf(self, recipe: str) -> dict[str, Any]:
        """The DAG run's conf; what was not given is left to the recipe."""
        given = {"niche": self.niche or None, "target_size": self.target_size}
        return {
            "recipe": recipe,
            **{key: value for key, value in given.items() if value is not None},
        }


def run_once(
    console: Console,
    installation: Installation,
    recipe: Recipe,
    wanted: Wanted,
    memory: MemorySampler,
    started: float,
) -> int:
    """0 when the run succeeded, its report is there, and the champion has answered; 1 when a stage failed.

    SupervisorError for the rest. `started` is the monotonic time at which the whole command began.
    """
    layout = installation.layout
    installation.say(
        f"up after {seconds(time.monotonic() - started)}; triggering {DAG}"
    )
    with installation.client() as client:
        with pipeline.unpaused(client):
            outcome = pipeline.follow(
                client,
                wanted.conf(recipe.name),
                view(console, started),
                installation.say,
                layout.task_logs,
            )
        failed = (
            None
            if outcome.succeeded
            else pipeline.failure(client, outcome, layout.task_logs)
        )
    summary.print_outcome(console, outcome, recipe.photo_note)
    _note_unreached(console, installation, outcome)
    try:
        if failed is None:
            _print_result(console, installation, recipe, outcome)
    finally:
        plain(
            console,
            f"time: {seconds(time.monotonic() - started)} in all, {seconds(outcome.elapsed_s)} of it the run",
        )
        summary.print_peak(console, memory.peak)
    if failed is not None:
        summary.print_failure(
            console,
            failed,
            pipeline.task_url(layout.url("airflow"), outcome.run, failed.stage),
        )
        return 1
    addresses = ", ".join(f"{name} {layout.url(name)}" for name in layout.ports)
    plain(console, f"addresses while it is up (make up): {addresses}")
    return 0


def _print_result(
    console: Console,
    installation: Installation,
    recipe: Recipe,
    outcome: pipeline.RunOutcome,
) -> None:
    """Where the report is and what the champion answers; SupervisorError where one of them is missing."""
    uri = summary.report_uri(outcome)
    if not uri:
        raise SupervisorError("evaluate gave no report")
    filesystem, path = fsspec.url_to_fs(uri)
    if not filesystem.exists(path):
        raise SupervisorError(f"the evaluation's report is missing: {uri}")
    plain(console, f"report: {summary.readable(uri)}")
    champion = installation.champion()
    if not champion:
        raise SupervisorError(
            "the gate let no model through, there is no earlier champion, and the recipe forbids a provisional model (promote.provisional); the verdict says why"
        )
    entry = installation.state.services.get("inference")
    if entry is None or process(entry) is None:
        require_free_ports(installation.layout, ("inference",))
        startup.start_servers(installation, ("inference",))
    url = installation.layout.url("inference")
    if recipe.catalogue:
        question = of_catalogue(installation.layout.catalogue(recipe.catalogue))
    else:
        question = Question(*installation.example(outcome.run))
    answer = ask(url, question, champion)
    plain(console, f"POST {url}/analyze answers to: {question.text}")
    plain(console, json.dumps(answer, indent=2, ensure_ascii=False))


def _note_unreached(
    console: Console, installation: Installation, outcome: pipeline.RunOutcome
) -> None:
    if "scrape" not in outcome.reports:
        return
    figures = outcome.reports["scrape"]["figures"]
    kinds = {one.get("kind") for one in figures.get("sources", {}).values()}
    if kinds and "shop" not in kinds:
        return
    unreached = figures["products_not_reached"]
    found = ("KINDLING_CHROMIUM", "KINDLING_LIGHTPANDA")
    if not any(installation.product[name] for name in found):
        plain(
            console,
            f"no browser: {unreached} products not reached; install: {BROWSER_HINT}",
        )
    elif unreached:
        plain(
            console,
            f"{unreached} products not reached although there is a browser; scrape's rejections say why",
        )
