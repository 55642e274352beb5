"""One task a stage, for the runtime that the environment names. DAG files know nothing else."""

import os

from airflow.sdk import BaseOperator

from kindling.catalog import stage
from kindling_airflow.command import stage_arguments
from kindling_airflow.policies import task_policy

RUNTIME = "KINDLING_RUNTIME"
RUNTIMES = ("process", "kubernetes")


def stage_task(name: str) -> BaseOperator:
    """The operator of the stage called `name`; its task id is that name.

    The runtime is read from the environment, not from an Airflow Variable: that would be a call to
    the API server at every parse. ValueError names the runtimes that exist.
    """
    runtime = os.environ.get(RUNTIME) or "process"
    described = stage(name)
    if runtime == "process":
        from kindling_airflow.process_operator import StageProcessOperator

        return StageProcessOperator(
            stage=name, arguments=stage_arguments(name), **task_policy(described)
        )
    if runtime == "kubernetes":
        # Here, not above: the Kubernetes client takes seconds to import, at every parse.
        from kindling_airflow.pods import stage_pod

        return stage_pod(described)
    raise ValueError(f"{RUNTIME}={runtime!r}; allowed: {', '.join(RUNTIMES)}")
