"""The runtime `kubernetes`, as Airflow sees it: light to parse, a pod when it runs."""

import os
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator

from kindling_airflow.cluster import Cluster
from kindling_airflow.command import shard_arguments
from kindling_airflow.policies import resumed

if TYPE_CHECKING:
    from kindling_airflow.stage_pod import StagePod


class ToldToEnd(SystemExit):
    """Raised in the task when it is told to end. A SystemExit, which no handler of the provider
    swallows and asyncio passes on."""


class StagePodOperator(BaseOperator):
    """A stage as a pod, made by Airflow's KubernetesPodOperator when the task runs.

    Not that operator itself: importing it takes seconds of every parse, and every task parses its
    DAG file anew.
    """

    template_fields = ("arguments",)

    #: Not in `__init__`: an operator is serialized, a pod at work cannot be.
    _pod: "StagePod | None" = None
    _at_work = False

    def __init__(
        self,
        *,
        stage: str,
        arguments: list[str],
        cluster: Cluster,
        shard: str = "",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.stage = stage
        self.shard = shard
        self.arguments = arguments
        self.cluster = cluster

    def execute(self, context: Any) -> dict[str, Any]:
        """The stage's report; AirflowFailException when a retry is of no use."""
        self._pod = self.pod()
        self._at_work = True
        try:
            return self._pod.report(context)
        except ToldToEnd:
            # A worker that is drained, or a person who cancelled: then Airflow has the last word
            # already. The stage is not to blame, so this must not cost it one of its tries.
            self.log.warning("Told to end; its pod is deleted, and a new one follows")
            raise resumed() from None
        finally:
            self._at_work = False

    def on_kill(self) -> None:
        """Delete the pod; called in the middle of `execute`, it ends that too."""
        if self._pod is not None:
            self._pod.on_kill()
        if self._at_work:
            raise ToldToEnd

    def pod(self) -> "StagePod":
        """The operator that makes the pod, from the arguments as they are now."""
        from kindling_airflow.pods import pod_arguments
        from kindling_airflow.stage_pod import StagePod

        return StagePod(
            stage=self.stage,
            task_id=self.task_id,
            pending_for=timedelta(hours=self.cluster.pending_hours),
            **_address(self.cluster),
            **pod_arguments(
                self.cluster.described(self.stage),
                [*self.arguments, *shard_arguments(self.shard)],
                self.cluster,
            ),
        )


def _address(cluster: Cluster) -> dict[str, Any]:
    if cluster.in_cluster is None:
        return {}
    if cluster.in_cluster:
        return {"in_cluster": True}
    # Named, since the provider would take the cluster it runs in before it looked for a file.
    path = os.environ.get("KUBECONFIG") or os.path.expanduser("~/.kube/config")
    return {"config_file": path}
