"""What the nightly DAG promises: its chain, its parameters, its schedule, its triage notes."""

import ast
import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from airflow.dag_processing.dagbag import DagBag
from airflow.sdk import DAG
from airflow.sdk.exceptions import ParamValidationError
from airflow.serialization.serialized_objects import DagSerialization

from kindling import catalog
from kindling.catalog import EXIT_RETRY, STAGE_NAMES, STAGES
from kindling_airflow.settings_file import load

CHAIN = [
    "scrape",
    "dedupe",
    "synthesize",
    "challenge",
    "label",
    "appraise",
    "train",
    "evaluate",
    "promote",
    "index",
]

Parse = Callable[[], DagBag]


@pytest.fixture
def parse(repository: Path) -> Parse:
    return lambda: DagBag(repository / "dags")


@pytest.fixture
def dag(parse: Parse) -> DAG:
    return parse().dags["nightly_retraining"]


def test_bag_holds_exactly_these(parse: Parse) -> None:
    bag = parse()
    assert not bag.import_errors
    assert set(bag.dags) == {"nightly_retraining", "settings_search"}


def test_parses_in_two_seconds(parse: Parse) -> None:
    parse()
    assert parse().dagbag_stats
    assert all(one.duration < timedelta(seconds=2) for one in parse().dagbag_stats)


def test_edges_are_the_catalogs(dag: DAG) -> None:
    assert list(STAGE_NAMES) == CHAIN
    edges = {
        (task.task_id, below)
        for task in dag.tasks
        for below in task.downstream_task_ids
    }
    assert edges == set(catalog.edges())
    assert {task.task_id for task in dag.tasks} == set(CHAIN)


def test_last_statements_are_the_architecture(repository: Path) -> None:
    source = (repository / "dags/nightly_retraining.py").read_text(encoding="utf-8")
    last = [ast.unparse(one) for one in ast.parse(source).body[-2:]]
    assert last == [" >> ".join(CHAIN[:-1]), "label >> index"]


def test_dag_files_are_short(repository: Path) -> None:
    files = list((repository / "dags").glob("*.py"))
    assert files and all(
        len(path.read_text(encoding="utf-8").splitlines()) <= 80 for path in files
    )


def test_starts_only_when_asked_or_due(dag: DAG) -> None:
    assert dag.is_paused_upon_creation is True
    assert dag.catchup is False
    assert dag.max_active_runs == 1
    # A start date would let the timetable reach back to the night before.
    assert dag.start_date is None
    assert dag.tags == {"kindling", "nightly"}


@pytest.mark.parametrize(
    "given",
    [
        {"recipe": "smoke"},
        {"niche": "Outerwear,Shorts"},
        {"niche": ""},
        {"niche": None},
        {"target_size": 0},
        {"target_size": None},
    ],
)
def test_good_parameters(dag: DAG, given: dict[str, Any]) -> None:
    for name, value in given.items():
        assert dag.params.get_param(name).resolve(value) == value


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("recipe", "no-such-recipe"),
        ("recipe", None),
        ("niche", 3),
        ("niche", "A,,B"),
        ("niche", "A,"),
        ("target_size", -1),
        ("target_size", "many"),
        ("target_size", 1.5),
    ],
)
def test_bad_parameters_are_refused(dag: DAG, name: str, value: Any) -> None:
    with pytest.raises(ParamValidationError):
        dag.params.get_param(name).resolve(value)


def test_recipes_are_the_packages_own(dag: DAG, repository: Path) -> None:
    files = sorted(
        path.stem for path in (repository / "include/kindling/recipes").glob("*.yaml")
    )
    assert dag.params.get_param("recipe").schema["enum"] == files
    assert dag.params["recipe"] == "demo"


def test_environment_names_the_default_recipe(
    parse: Parse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KINDLING_RECIPE", "clothing")
    assert parse().dags["nightly_retraining"].params["recipe"] == "clothing"
    monkeypatch.setenv("KINDLING_RECIPE", "/elsewhere/mine.yaml")
    assert parse().dags["nightly_retraining"].params["recipe"] == "/elsewhere/mine.yaml"


@pytest.mark.parametrize(
    ("name", "value", "allowed"),
    [
        ("KINDLING_RECIPE", "no-such-recipe", "smoke"),
        ("KINDLING_RUNTIME", "mainframe", "process, kubernetes"),
    ],
)
def test_wrong_environment_says_what_is_allowed(
    parse: Parse,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    value: str,
    allowed: str,
) -> None:
    monkeypatch.setenv(name, value)
    bag = parse()
    assert not bag.dags and len(bag.import_errors) == 2
    for message in bag.import_errors.values():
        assert f"{name}={value!r}" in message and allowed in message


def test_triage_for_every_stage_and_exit_code(dag: DAG) -> None:
    notes = dict(
        re.findall(
            r"^ *- \*\*([^*]+)\*\*: (.+(?:\n +[^- ].*)*)",
            dag.doc_md or "",
            re.MULTILINE,
        )
    )
    assert [name for name in notes if name in CHAIN] == CHAIN
    assert all(len(notes[name]) > 60 for name in CHAIN)
    assert {"2", "3", f"{EXIT_RETRY}, or killed by a signal"} <= set(notes)


def test_tasks_take_their_policy_from_the_catalog(dag: DAG) -> None:
    for stage in STAGES:
        task = dag.get_task(stage.name)
        assert task.execution_timeout == timedelta(minutes=stage.timeout_minutes)
        assert (task.pool, task.retries) == (stage.pool, 4)
        assert task.retry_exponential_backoff > 1
        assert task.on_failure_callback


def test_every_pool_exists_locally(dag: DAG, repository: Path) -> None:
    # A task that names a missing pool is never scheduled, and nothing fails.
    pools = {
        pool.pool_name for pool in load(repository / "airflow_settings.yaml").pools
    }
    assert {task.pool for task in dag.tasks} <= {"default_pool", *pools}


@pytest.mark.parametrize("runtime", ["process", "kubernetes"])
def test_survives_serialization(
    parse: Parse, monkeypatch: pytest.MonkeyPatch, runtime: str
) -> None:
    monkeypatch.setenv("KINDLING_RUNTIME", runtime)
    monkeypatch.setenv("KINDLING_IMAGE", "registry.example/kindling:1.0.0")
    monkeypatch.setenv("KINDLING_KEYWORDS", "elasticsearch")
    dag = parse().dags["nightly_retraining"]
    data = DagSerialization.to_dict(dag)
    again = DagSerialization.from_dict(data)
    assert set(again.task_dict) == set(CHAIN)
    assert type(again.timetable).__name__ == "NightlyTimetable"
    assert again.timetable.summary == "0 2 * * *"
