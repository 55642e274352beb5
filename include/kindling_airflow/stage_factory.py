"""One task a stage, for the runtime that the environment names. DAG files know nothing else."""

import os
from typing import Any

from airflow.sdk import BaseOperator
from airflow.sdk.definitions.mappedoperator import MappedOperator

from kindling.catalog import stage
from kindling_airflow.cluster import cluster
from kindling_airflow.command import search_arguments, stage_arguments
from kindling_airflow.pod_operator import StagePodOperator
from kindling_airflow.policies import task_policy
from kindling_airflow.process_operator import StageProcessOperator

RUNTIME = "KINDLING_RUNTIME"
RUNTIMES = ("process", "kubernetes")
#: Into how many mapped tasks a stage is split that can be.
SHARDS = "KINDLING_SHARDS"
MOST_SHARDS = 64


def stage_task(name: str) -> BaseOperator | MappedOperator:
    """The operator of the stage called `name`; its task id is that name.

    Runtime and shards are read from the environment, not from an Airflow Variable: that would be a
    call to the API server at every parse. ValueError names what is allowed.
    """
    return _task(name, stage_arguments(name))


def search_task(step: str) -> BaseOperator | MappedOperator:
    """The operator of a step of a search for settings, as `stage_task` makes it of a stage."""
    return _task(step, search_arguments(step))


def _task(name: str, command: list[str]) -> BaseOperator | MappedOperator:
    runtime = os.environ.get(RUNTIME) or "process"
    arguments: dict[str, Any] = {
        "stage": name,
        "arguments": command,
        **task_policy(stage(name)),
    }
    operator: type[BaseOperator]
    if runtime == "process":
        operator = StageProcessOperator
    elif runtime == "kubernetes":
        operator = StagePodOperator
        arguments["cluster"] = cluster()
    else:
        raise ValueError(f"{RUNTIME}={runtime!r}; allowed: {', '.join(RUNTIMES)}")
    shards = _shards() if stage(name).shards else 1
    if shards == 1:
        return operator(**arguments)
    parts = [f"{index}/{shards}" for index in range(shards)]
    return operator.partial(**arguments).expand(shard=parts)


def _shards() -> int:
    value = os.environ.get(SHARDS) or "1"
    if not value.isdigit() or not 1 <= int(value) <= MOST_SHARDS:
        raise ValueError(
            f"{SHARDS}={value!r}; allowed: a whole number from 1 to {MOST_SHARDS}"
        )
    return int(value)
