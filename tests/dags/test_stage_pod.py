"""What a pod's task does when things go wrong: one pod at most, none left behind, no try lost for nothing."""

import json
import signal
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from types import SimpleNamespace
from typing import Any

import psutil
import pytest
from airflow.providers.cncf.kubernetes.operators.pod import KubernetesPodOperator
from airflow.providers.cncf.kubernetes.utils.pod_manager import PodManager
from airflow.sdk.exceptions import (
    AirflowException,
    AirflowFailException,
    AirflowRescheduleException,
    AirflowTaskTimeout,
)
from kubernetes.client import ApiClient
from kubernetes.client import models as k8s
from kubernetes.client.exceptions import ApiException

from kindling_airflow import pods, stage_pod
from kindling_airflow.cluster import cluster
from kindling_airflow.command import stage_arguments
from kindling_airflow.pod_operator import StagePodOperator, ToldToEnd
from kindling_airflow.stage_pod import StagePod

ENVIRONMENT = {
    "KINDLING_IMAGE": "registry.example/kindling:1.4.0",
    "KINDLING_KEYWORDS": "elasticsearch",
}
UNSCHEDULED = k8s.V1PodCondition(
    type="PodScheduled",
    status="False",
    reason="Unschedulable",
    message="0/3 nodes are available: 3 Insufficient nvidia.com/gpu.",
)
SCHEDULED = k8s.V1PodCondition(type="PodScheduled", status="True")


def operator_of(name: str, settings: Any) -> StagePodOperator:
    return StagePodOperator(
        task_id=name, stage=name, arguments=stage_arguments(name), cluster=settings
    )


class Cluster:
    """The part of a cluster's API that keeps pods; they stay in the phase that a test puts them in."""

    def __init__(self) -> None:
        self.pods: dict[str, k8s.V1Pod] = {}
        self.created: list[str] = []
        self.api_client = ApiClient()
        self.condition = UNSCHEDULED

    def create_namespaced_pod(self, body: dict[str, Any], **_: Any) -> k8s.V1Pod:
        content = SimpleNamespace(data=json.dumps(body))
        made: k8s.V1Pod = self.api_client.deserialize(content, "V1Pod")
        made.metadata.creation_timestamp = datetime.now(UTC)
        made.status = k8s.V1PodStatus(phase="Pending", conditions=[self.condition])
        self.pods[made.metadata.name] = made
        self.created.append(made.metadata.name)
        return made

    def list_namespaced_pod(self, label_selector: str, **_: Any) -> SimpleNamespace:
        wanted = [one for one in label_selector.split(",") if "!" not in one]
        return SimpleNamespace(
            items=[
                pod
                for pod in self.pods.values()
                if set(wanted)
                <= {f"{key}={value}" for key, value in pod.metadata.labels.items()}
                and pod.metadata.labels.get("already_checked") != "True"
            ]
        )

    def read_namespaced_pod(self, name: str, namespace: str) -> k8s.V1Pod:
        if name not in self.pods:
            raise ApiException(status=404)
        return self.pods[name]

    def patch_namespaced_pod(self, name: str, body: Any, **_: Any) -> None:
        self.pods[name].metadata.labels |= body["metadata"]["labels"]

    def delete_namespaced_pod(self, name: str, *_: Any, **__: Any) -> None:
        if self.pods.pop(name, None) is None:
            raise ApiException(status=404)


class Hook:
    """The way to that cluster."""

    is_in_cluster = False

    def __init__(self, api: Cluster) -> None:
        self._api = api

    def get_pod(self, name: str, namespace: str) -> k8s.V1Pod:
        return self._api.read_namespaced_pod(name, namespace)

    def get_xcom_sidecar_container_image(self) -> None:
        return None

    get_xcom_sidecar_container_resources = get_xcom_sidecar_container_image


@pytest.fixture
def cluster_api(monkeypatch: pytest.MonkeyPatch) -> Cluster:
    api = Cluster()
    monkeypatch.setattr(StagePod, "client", api)
    monkeypatch.setattr(StagePod, "hook", Hook(api))
    monkeypatch.setattr(PodManager, "watch_pod_events", _no_events)
    monkeypatch.setattr(
        PodManager, "read_pod_events", lambda *_: SimpleNamespace(items=[])
    )
    return api


async def _no_events(*_: Any) -> None:
    return None


@pytest.fixture
def task() -> StagePodOperator:
    return operator_of("train", cluster(ENVIRONMENT))


def run(task: StagePodOperator, run_id: str = "r1") -> Any:
    instance = SimpleNamespace(
        dag_id="nightly_retraining",
        task_id="train",
        run_id=run_id,
        try_number=1,
        map_index=-1,
        xcom_push=lambda **_: None,
        xcom_pull=lambda **_: None,
    )
    return task.execute(
        {
            "dag": SimpleNamespace(),
            "ti": instance,
            "task_instance": instance,
            "run_id": run_id,
        }
    )


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Looks once whether the pod has a node, and does not wait."""
    made = pods.pod_arguments
    never = {"schedule_timeout_seconds": -1, "startup_timeout_seconds": -1}
    monkeypatch.setattr(pods, "pod_arguments", lambda *given: made(*given) | never)


@pytest.mark.usefixtures("impatient")
def test_a_pending_pod_waits_on_without_a_second_one_and_without_losing_a_try(
    task: StagePodOperator, cluster_api: Cluster
) -> None:
    for _ in range(5):
        with pytest.raises(AirflowRescheduleException) as waits:
            run(task)
        # Sooner, and a busy scheduler takes the next look for a task that died.
        later = waits.value.reschedule_date - datetime.now(UTC)
        assert later > timedelta(seconds=20)
    assert len(cluster_api.created) == 1 and len(cluster_api.pods) == 1
    (pod,) = cluster_api.pods.values()
    assert "already_checked" not in pod.metadata.labels


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("told", [signal.SIGINT, signal.SIGTERM])
def test_the_sidecar_ends_when_it_is_told_to(
    task: StagePodOperator, cluster_api: Cluster, told: signal.Signals
) -> None:
    with pytest.raises(AirflowRescheduleException):
        run(task)
    (pod,) = cluster_api.pods.values()
    (sidecar,) = [one for one in pod.spec.containers if "sidecar" in one.name]
    # What a job in a shell's background ignores, its children ignore, and sh cannot trap.
    heeds = partial(signal.signal, told, signal.SIG_DFL)
    process = psutil.Popen(sidecar.command, preexec_fn=heeds)
    # It sleeps once its trap is set.
    while not process.children():
        time.sleep(0.01)
    process.send_signal(told)
    assert process.wait(30) == 0


@pytest.mark.usefixtures("impatient")
def test_a_pod_that_never_gets_a_node_ends_the_stage_with_the_scheduler_s_reason(
    task: StagePodOperator, cluster_api: Cluster
) -> None:
    with pytest.raises(AirflowRescheduleException):
        run(task)
    (pod,) = cluster_api.pods.values()
    pod.metadata.creation_timestamp -= timedelta(hours=25)
    with pytest.raises(
        AirflowFailException, match=r"Insufficient nvidia\.com/gpu"
    ) as raised:
        run(task)
    assert "KINDLING_PENDING_HOURS" in str(raised.value)
    assert not cluster_api.pods


@pytest.mark.usefixtures("impatient")
def test_a_pod_that_has_a_node_and_does_not_start_is_deleted_before_the_next_try(
    task: StagePodOperator, cluster_api: Cluster
) -> None:
    cluster_api.condition = SCHEDULED
    with pytest.raises(AirflowException, match="took too long to start") as raised:
        run(task)
    assert not isinstance(
        raised.value, AirflowFailException | AirflowRescheduleException
    )
    assert not cluster_api.pods


def raising(error: BaseException) -> Callable[..., None]:
    def method(*_: Any) -> None:
        raise error

    return method


def test_a_timeout_leaves_no_pod(
    task: StagePodOperator, cluster_api: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    timeout = raising(AirflowTaskTimeout("4:00:00"))
    monkeypatch.setattr(KubernetesPodOperator, "await_pod_start", timeout)
    with pytest.raises(AirflowTaskTimeout):
        run(task)
    assert cluster_api.pods, "Airflow calls on_kill only when it sees the time-out"
    task.on_kill()
    assert not cluster_api.pods


def test_told_to_end_deletes_the_pod_and_goes_on_later(
    task: StagePodOperator, cluster_api: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As Airflow does it: on_kill out of a signal handler, in the middle of the wait.
    monkeypatch.setattr(
        KubernetesPodOperator, "await_pod_start", lambda *_: task.on_kill()
    )
    with pytest.raises(AirflowRescheduleException):
        run(task)
    assert not cluster_api.pods
    task.on_kill()  # Airflow's own, after the end: it ends nothing more.


def test_told_to_end_is_heard_inside_an_event_loop() -> None:
    # asyncio keeps other exceptions of a callback to itself.
    assert issubclass(ToldToEnd, SystemExit)


@pytest.mark.parametrize("error", [ApiException(status=500), OSError("unreachable")])
def test_a_pod_out_of_sight_is_found_again(
    task: StagePodOperator,
    cluster_api: Cluster,
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
) -> None:
    monkeypatch.setattr(KubernetesPodOperator, "await_pod_start", raising(error))
    with pytest.raises(AirflowException, match="the next try finds it again"):
        run(task)
    with pytest.raises(AirflowException, match="the next try finds it again"):
        run(task)
    assert len(cluster_api.created) == 1


def test_a_pod_that_is_being_deleted_is_waited_for(
    task: StagePodOperator, cluster_api: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        KubernetesPodOperator, "await_pod_start", raising(OSError("out of sight"))
    )
    with pytest.raises(AirflowException):
        run(task)
    (first,) = cluster_api.pods.values()
    first.metadata.deletion_timestamp = datetime.now(UTC)
    monkeypatch.setattr(stage_pod, "POLL_S", 0.01)
    looks = []

    def goes(**query: Any) -> SimpleNamespace:
        looks.append(query)
        if len(looks) > 3:
            cluster_api.pods.pop(first.metadata.name, None)
        return Cluster.list_namespaced_pod(cluster_api, **query)

    monkeypatch.setattr(cluster_api, "list_namespaced_pod", goes)
    with pytest.raises(AirflowException):
        run(task)
    assert len(cluster_api.created) == 2 and len(cluster_api.pods) == 1


def test_left_over_pods_are_swept(
    task: StagePodOperator, cluster_api: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        KubernetesPodOperator, "await_pod_start", raising(OSError("out of sight"))
    )
    for run_id in ("cancelled", "failed", "failed-long-ago"):
        with pytest.raises(AirflowException):
            run(task, run_id)
        pod = cluster_api.pods[cluster_api.created[-1]]
        if run_id != "cancelled":
            pod.status.phase = "Failed"
        if run_id == "failed-long-ago":
            pod.metadata.creation_timestamp -= stage_pod.KEEP_FAILED
    # The cancelled run's pod went with the next run; what failed lately stays to be looked at.
    assert "cancelled" not in {pod_run(one) for one in cluster_api.pods.values()}
    with pytest.raises(AirflowException):
        run(task, "now")
    assert {pod_run(one) for one in cluster_api.pods.values()} == {"failed", "now"}


def pod_run(pod: k8s.V1Pod) -> str:
    return str(pod.metadata.labels["run_id"])
