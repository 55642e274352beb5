"""What the search for settings promises: its steps, their arguments, and workers that share it."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jinja2
import pytest
from airflow.dag_processing.dagbag import DagBag
from airflow.sdk import DAG
from airflow.sdk.exceptions import ParamValidationError
from airflow.serialization.serialized_objects import DagSerialization

from kindling.__main__ import parser
from kindling.catalog import SEARCH_STEPS, stage
from kindling_airflow.command import search_arguments

Load = Callable[[str], DAG]


@pytest.fixture
def load(repository: Path, monkeypatch: pytest.MonkeyPatch) -> Load:
    monkeypatch.setenv("KINDLING_IMAGE", "registry.example/kindling:1.4.0")
    monkeypatch.setenv("KINDLING_KEYWORDS", "elasticsearch")

    def loaded(runtime: str) -> DAG:
        monkeypatch.setenv("KINDLING_RUNTIME", runtime)
        bag = DagBag(repository / "dags")
        assert not bag.import_errors
        return bag.dags["settings_search"]

    return loaded


@pytest.mark.parametrize("runtime", ["process", "kubernetes"])
def test_workers_are_mapped_and_one_verdict_follows(
    load: Load, runtime: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KINDLING_SHARDS", "3")
    dag = load(runtime)
    trials, verdict = dag.get_task("trials"), dag.get_task("verdict")
    assert trials.expand_input.value == {"shard": ["0/3", "1/3", "2/3"]}
    assert not verdict.is_mapped
    assert trials.downstream_task_ids == {"verdict"}
    assert dag.schedule is None and dag.is_paused_upon_creation is False
    assert DagSerialization.to_dict(dag)


@pytest.mark.parametrize("step", [one.name for one in SEARCH_STEPS])
def test_the_command_line_takes_the_arguments(step: str) -> None:
    context: dict[str, Any] = {
        "params": {"night": "--n {{ 1 }}", "recipe": "demo", "trials": 12},
        "dag_run": {"conf": {"trials": 12}},
    }
    rendered = [
        jinja2.Template(one).render(context) for one in search_arguments(step)[2:]
    ]
    parsed = parser().parse_args([*rendered, "--shard=1/3"])
    assert (parsed.command, parsed.step, parsed.shard) == ("search", step, "1/3")
    assert (parsed.run, parsed.recipe, parsed.trials) == ("--n {{ 1 }}", "demo", 12)


@pytest.mark.parametrize(
    ("name", "value"),
    [("night", ""), ("night", None), ("trials", 1), ("trials", "many")],
)
def test_bad_parameters_are_refused(load: Load, name: str, value: Any) -> None:
    with pytest.raises(ParamValidationError):
        load("process").params.get_param(name).resolve(value)


def test_a_failed_task_finds_its_section_in_the_documentation(load: Load) -> None:
    dag = load("process")
    sections = re.findall(r"^ +- \*\*(\w+)\*\*: ", dag.doc_md or "", re.MULTILINE)
    assert sections == [task.task_id for task in dag.tasks]


def test_steps_have_the_machine_that_training_has() -> None:
    train = stage("train")
    for step in SEARCH_STEPS:
        assert (step.gpu, step.memory_gib, step.pool) == (1, train.memory_gib, "heavy")
        assert not step.settled and stage(step.name) == step


def test_the_night_has_to_be_named(load: Load) -> None:
    with pytest.raises(ParamValidationError):
        load("process").params.validate()
