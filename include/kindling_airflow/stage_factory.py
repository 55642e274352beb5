"""One task a stage, for the runtime that the environment names. DAG files know nothing else."""

import os

from airflow.sdk import BaseOperator

from kindling.catalog import stage
from kindling_airflow.cluster import cluster
from kindling_airflow.command import stage_arguments
from kindling_airflow.pod_operator import stage_pod
from kindling_airflow.policies import task_policy
from kindling_airflow.process_operator import StageProcessOperator

RUNTIME = "KINDLING_RUNTIME"
RUNTIMES = ("process", "kubernetes")


def stage_task(name: str) -> BaseOperator:
    """The operator of the stage called `name`; its task id is that name.

    The runtime is read from the environment, not from an Airflow Variable: that would be a call to
    the API server at every parse. ValueError names the runtimes that exist.
    """
    runtime = os.environ.get(RUNTIME) or "process"
    if runtime == "process":
        return StageProcessOperator(
            stage=name, arguments=stage_arguments(name), **task_policy(stage(name))
        )
    if runtime == "kubernetes":
        return stage_pod(name, cluster())
    raise ValueError(f"{RUNTIME}={runtime!r}; allowed: {', '.join(RUNTIMES)}")
