"""What clusters do to a pod and Airflow to its task: no second pod, none left, no try lost for nothing."""

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from typing import Any

import psutil
import pytest
from kubernetes import client as k8s

from .outside import Airflow, Run
from .rig import BARE, NAMESPACE, Cluster, needed, until

pytestmark = pytest.mark.timeout(600)


def seconds_of(task: dict[str, Any]) -> float:
    return float(task["duration"])


@pytest.fixture(autouse=True)
def nothing_goes_on(airflow: Airflow, cluster: Cluster) -> Iterator[None]:
    """Before the namespace is cleared, the test's runs are over."""
    yield
    airflow.fail_unfinished()


def container_seconds(pod: Any) -> float:
    (base,) = [one for one in pod.status.container_statuses if one.name == "base"]
    ended = base.state.terminated
    return float((ended.finished_at - ended.started_at).total_seconds())


def started(
    airflow: Airflow, cluster: Cluster, seconds: int, dag: str = "light"
) -> Any:
    """A run at work, and the name of its pod."""
    run = airflow.trigger(dag, {"seconds": seconds})
    return run, cluster.pod(run.id).metadata.name


def task_process(run: Run) -> psutil.Process:
    """The task's own process: a child of the one that Airflow supervises it with."""
    return psutil.Process(run.process("work"))


def test_a_stage_pays_little_for_its_pod(
    airflow: Airflow, cluster: Cluster, figures: dict[str, Any]
) -> None:
    run, name = started(airflow, cluster, 20)
    last = until("a task that ended", lambda: _ended_or_seen(cluster, run, name), 180)
    task = run.reaches("work", ["success"], 60)
    figures["overhead_s"] = round(seconds_of(task) - last, 2)
    assert task["try_number"] == 1
    cluster.wait_until_gone(run.id)


def _ended_or_seen(cluster: Cluster, run: Run, name: str) -> float | None:
    for pod in cluster.pods(run.id):
        (base,) = [one for one in pod.status.container_statuses if one.name == "base"]
        if base.state.terminated:
            return container_seconds(pod)
    return None


def test_a_run_marked_failed_leaves_no_pod(
    airflow: Airflow, cluster: Cluster, figures: dict[str, Any]
) -> None:
    run, _ = started(airflow, cluster, 300)
    began = time.monotonic()
    run.fail()

    def told() -> bool | None:
        pods = cluster.pods(run.id)
        return True if not pods or pods[0].metadata.deletion_timestamp else None

    until("a deletion", told, 120, 0.2)
    figures["cancel_told_s"] = round(time.monotonic() - began, 2)
    cluster.wait_until_gone(run.id)
    figures["cancel_s"] = round(time.monotonic() - began, 2)


def test_a_killed_task_finds_its_pod_again(
    airflow: Airflow, cluster: Cluster, figures: dict[str, Any]
) -> None:
    run, name = started(airflow, cluster, 60)
    task_process(run).kill()
    task = run.reaches("work", ["success"], 300)
    log = " ".join(run.log("work", task["try_number"]))
    figures["same_pod_after_kill"] = task["try_number"] > 1 and name in log
    assert figures["same_pod_after_kill"], log[-2000:]


def test_an_evicted_pod_is_tried_again(
    airflow: Airflow, cluster: Cluster, figures: dict[str, Any]
) -> None:
    run, name = started(airflow, cluster, 30)
    cluster.evict(name)
    task = run.reaches("work", ["success"], 300)
    figures["retried_after_eviction"] = task["try_number"] > 1
    assert figures["retried_after_eviction"]


def test_a_drained_worker_costs_no_try(
    airflow: Airflow, cluster: Cluster, figures: dict[str, Any]
) -> None:
    run, name = started(airflow, cluster, 40)
    os.kill(task_process(run).pid, signal.SIGTERM)
    run.reaches("work", ["up_for_reschedule", "running", "success"], 60)
    task = run.reaches("work", ["success"], 300)
    figures["retried_after_drain"] = task["state"] == "success"
    figures["tries_lost_by_drain"] = task["try_number"] - 1
    assert figures["tries_lost_by_drain"] == 0


def test_a_pod_without_a_node_waits_and_there_is_one_of_it(
    airflow: Airflow, cluster: Cluster, figures: dict[str, Any]
) -> None:
    taker = k8s.V1Pod(
        metadata=k8s.V1ObjectMeta(name="taker"),
        spec=k8s.V1PodSpec(
            containers=[
                k8s.V1Container(
                    name="base",
                    image=BARE,
                    command=["sleep", "600"],
                    resources=k8s.V1ResourceRequirements(
                        limits={"nvidia.com/gpu": "1"}
                    ),
                )
            ]
        ),
    )
    cluster.api.create_namespaced_pod(NAMESPACE, taker)
    run = airflow.trigger("gpu", {"seconds": 3})
    # Twice: the second look is the one that made a second pod.
    for _ in range(2):
        run.reaches("work", ["up_for_reschedule"], 120)
        run.reaches("work", ["running"], 60)
    (waiting,) = cluster.pods(run.id)
    assert waiting.status.phase == "Pending"
    cluster.api.delete_namespaced_pod("taker", NAMESPACE, grace_period_seconds=0)
    task = run.reaches("work", ["success"], 180)
    figures["pending_waits"] = task["try_number"] == 1
    assert figures["pending_waits"]
    log = " ".join(run.log("work", 1))
    assert waiting.metadata.name in log


def test_a_stage_that_takes_too_long_leaves_no_pod(
    airflow: Airflow, cluster: Cluster, figures: dict[str, Any]
) -> None:
    run = airflow.trigger("hasty", {"seconds": 300})
    cluster.pod(run.id)
    run.reaches("work", ["up_for_retry", "failed"], 120)

    def unwanted() -> bool | None:
        alive = [
            one for one in cluster.pods(run.id) if not one.metadata.deletion_timestamp
        ]
        return None if alive else True

    until("no pod at work", unwanted, 30)
    figures["timeout_leaves_pods"] = 0
    run.fail()


def test_pods_of_a_cancelled_run_are_swept_by_the_next(
    airflow: Airflow, cluster: Cluster, figures: dict[str, Any]
) -> None:
    run, name = started(airflow, cluster, 300)
    # Killed with its supervisor, and the run ended before anybody could tell the task.
    process = task_process(run)
    for one in (process.parent(), process):
        if one is not None and "airflow" in " ".join(one.cmdline()):
            one.kill()
    run.fail()
    other = airflow.trigger("light", {"seconds": 3})
    other.reaches("work", ["success"], 180)
    left = [one.metadata.name for one in cluster.pods() if _lives(one)]
    figures["orphans"] = len(left)
    assert left == []


def _lives(pod: Any) -> bool:
    return (
        pod.status.phase in ("Pending", "Running")
        and not pod.metadata.deletion_timestamp
    )


def test_a_lost_api_server_of_the_cluster_costs_no_pod(
    airflow: Airflow, cluster: Cluster
) -> None:
    restart = needed("KINDLING_TEST_RESTART_API")
    run, name = started(airflow, cluster, 60)
    subprocess.run(["bash", "-c", restart], check=True, capture_output=True)
    task = run.reaches("work", ["success"], 300)
    assert name in " ".join(run.log("work", task["try_number"]))
