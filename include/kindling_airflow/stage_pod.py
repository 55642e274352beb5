"""A pod whose end means what that of a process does, and of which there is never a second one.

Imported when a task runs, not at parse. What the provider (10.25) does by itself is left to it; each
method here says what it does not do.
"""

import json
import sys
import time
from datetime import timedelta
from typing import Any

from airflow.providers.cncf.kubernetes.kubernetes_helper_functions import (
    PodLaunchFailedException,
)
from airflow.providers.cncf.kubernetes.operators.pod import KubernetesPodOperator
from airflow.providers.cncf.kubernetes.utils.pod_manager import (
    PodLaunchTimeoutException,
    PodPhase,
)
from airflow.providers.cncf.kubernetes.utils.xcom_sidecar import PodDefaults
from airflow.sdk.exceptions import (
    AirflowException,
    AirflowFailException,
    AirflowRescheduleException,
    AirflowSkipException,
    AirflowTaskTimeout,
)
from airflow.sdk.timezone import utcnow
from kubernetes.client.exceptions import ApiException

from kindling_airflow.pod_operator import ToldToEnd
from kindling_airflow.policies import checked_report, failure, resumed

#: Ends of a task that are no end of its pod: it waits for a node, or `on_kill` deletes it.
_POD_IS_SEEN_TO = (
    AirflowFailException,
    AirflowRescheduleException,
    AirflowTaskTimeout,
    ToldToEnd,
)
_NEVER_STARTED = (PodLaunchFailedException, PodLaunchTimeoutException)
#: Failed pods stay this long to be looked at.
KEEP_FAILED = timedelta(days=3)
POLL_S = 2.0
#: Hands the report over until it is told to end, by Airflow (INT) or with its pod (TERM).
SIDECAR = 'trap "exit 0" INT TERM; while true; do sleep 1; done'


class StagePod(KubernetesPodOperator):
    """One run of one stage's pod."""

    def __init__(self, *, stage: str, pending_for: timedelta, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.stage = stage
        self.pending_for = pending_for

    def report(self, context: Any) -> dict[str, Any]:
        """The stage's report; AirflowFailException when a retry is of no use."""
        # Not `execute`, which Airflow keeps for the operator that it runs.
        result = self.execute_sync(context)
        return checked_report(
            self.stage, None if result is None else json.dumps(result)
        )

    def build_pod_request_obj(
        self, context: Any = None, *, dry_run: bool = False
    ) -> Any:
        """As the parent does, with a sidecar that ends with its pod.

        The parent's heeds INT alone: a pod that is deleted would hold its node, and the next try,
        for the whole grace after its stage has ended.
        """
        pod = super().build_pod_request_obj(context, dry_run=dry_run)
        for container in pod.spec.containers:
            if container.name == PodDefaults.SIDECAR_CONTAINER_NAME:
                container.command = ["sh", "-c", SIDECAR]
        return pod

    def get_or_create_pod(self, pod_request_obj: Any, context: Any) -> Any:
        """As the parent does, once a pod that is being deleted has gone.

        The parent would take it for the one to go on with (its phase is Running to the end).
        """
        self._sweep(pod_request_obj.metadata)
        deadline = time.monotonic() + (self.termination_grace_period or 30) + 60
        namespace = pod_request_obj.metadata.namespace
        while (found := self.find_pod(namespace, context=context)) is not None:
            if not found.metadata.deletion_timestamp:
                break
            if time.monotonic() > deadline:
                raise AirflowException(
                    f"{self.stage}: pod {found.metadata.name} of an earlier try is being deleted and "
                    "does not go; is its node gone? kubectl delete pod --force would end it"
                )
            time.sleep(POLL_S)
        return super().get_or_create_pod(pod_request_obj, context)

    def await_pod_start(self, pod: Any) -> None:
        """As the parent does, but a pod that no node has room for waits without losing a try.

        The parent's time-out fails the try and leaves the pod pending: the next one makes another, and
        some time later all of them start.
        """
        try:
            super().await_pod_start(pod)
        except PodLaunchTimeoutException as late:
            seen = self.pod_manager.read_pod(pod)
            if _scheduled(seen):
                raise
            self._wait_on(seen, late)

    def _wait_on(self, pod: Any, late: Exception) -> None:
        waited = utcnow() - pod.metadata.creation_timestamp
        reason = _why_pending(pod)
        if waited > self.pending_for:
            self.pod_manager.delete_pod(pod)
            raise AirflowFailException(
                f"{self.stage}: no node took pod {pod.metadata.name} within "
                f"{self.pending_for} (KINDLING_PENDING_HOURS): {reason}"
            ) from late
        self.log.warning(
            "Pod %s waits for a node since %s: %s. It goes on waiting, and this try with it.",
            pod.metadata.name,
            waited,
            reason,
        )
        raise resumed() from None

    def cleanup(
        self, pod: Any, remote_pod: Any, xcom_result: Any = None, context: Any = None
    ) -> None:
        """As the parent does, with the failure named by the container's exit code.

        The parent raises over the error that is under way, be it a time-out (then nobody deletes the
        pod), and marks as checked a pod that it only lost sight of (then the next try makes a second).
        """
        under_way = sys.exception()
        if isinstance(under_way, _POD_IS_SEEN_TO):
            return
        lost = under_way is not None and not isinstance(under_way, _NEVER_STARTED)
        if lost and pod is not None:
            remote_pod = self._read(pod) or remote_pod
            if _lives(remote_pod):
                raise AirflowException(
                    f"{self.stage}: lost sight of its pod {pod.metadata.name} ({under_way!r}); it runs "
                    "on, and the next try finds it again"
                ) from under_way
        try:
            super().cleanup(pod, remote_pod, xcom_result, context)
        except AirflowSkipException:
            raise
        except AirflowException as error:
            reason = _why_ended(remote_pod, self.base_container_name)
            if isinstance(under_way, _NEVER_STARTED):
                # It would start one day, beside the next try's.
                self.pod_manager.delete_pod(pod)
                reason = str(under_way)
            code = _exit_code(remote_pod, self.base_container_name)
            raise failure(self.stage, code, reason) from error

    def _read(self, pod: Any) -> Any | None:
        try:
            return self.pod_manager.read_pod(pod)
        except (ApiException, AirflowException, OSError) as error:
            self.log.warning("Pod %s cannot be read: %r", pod.metadata.name, error)
            return None

    def _sweep(self, metadata: Any) -> None:
        """Delete failed pods that have been looked at long enough, and those of runs that are over.

        The DAG has one run at a time, so a pod of another run that has not ended belongs to a task
        that was cancelled between two looks at its pending pod.
        """
        ours = metadata.labels or {}
        selector = f"app.kubernetes.io/name=kindling,dag_id={ours.get('dag_id', '')}"
        found = self.client.list_namespaced_pod(
            namespace=metadata.namespace, label_selector=selector
        )
        for pod in found.items:
            ended = not _lives(pod)
            old = utcnow() - pod.metadata.creation_timestamp > KEEP_FAILED
            other = pod.metadata.labels.get("run_id") != ours.get("run_id")
            if (ended and old) or (not ended and other):
                self.log.info("Deleting left-over pod %s", pod.metadata.name)
                self.pod_manager.delete_pod(pod)


def _lives(pod: Any) -> bool:
    phase = pod.status.phase if pod is not None and pod.status else None
    return phase in (PodPhase.PENDING, PodPhase.RUNNING, "Unknown")


def _scheduled(pod: Any) -> bool:
    return any(
        one.type == "PodScheduled" and one.status == "True"
        for one in pod.status.conditions or []
    )


def _why_pending(pod: Any) -> str:
    """What the scheduler says, such as `0/3 nodes are available: 3 Insufficient nvidia.com/gpu`."""
    said = [
        f"{one.reason}: {one.message}"
        for one in pod.status.conditions or []
        if one.type == "PodScheduled" and one.reason
    ]
    return said[0] if said else "the scheduler has not looked at it yet"


def _why_ended(pod: Any, container: str) -> str:
    """What the cluster says of the end: OOMKilled, Evicted, DeadlineExceeded and the like."""
    status = pod.status if pod is not None else None
    terminated = _terminated(pod, container)
    words = [
        getattr(status, "reason", None),
        getattr(status, "message", None),
        getattr(terminated, "reason", None),
    ]
    return ": ".join(word for word in words if word and word != "Error")


def _exit_code(pod: Any, container: str) -> int | None:
    """The container's exit code; None if it never came to one."""
    terminated = _terminated(pod, container)
    return int(terminated.exit_code) if terminated is not None else None


def _terminated(pod: Any, container: str) -> Any | None:
    status = pod.status if pod is not None else None
    for one in (status.container_statuses if status else None) or []:
        if one.name == container and one.state and one.state.terminated:
            return one.state.terminated
    return None
