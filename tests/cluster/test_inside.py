"""Airflow inside the cluster, with the role that the runbook gives it and no kubeconfig."""

from pathlib import Path
from typing import Any

import pytest
from kubernetes import client as k8s

from .rig import AIRFLOW, BARE, NAMESPACE, PIPELINE, Cluster, until

LIGHT = """
set -e
airflow db migrate >/tmp/migrate.log 2>&1 || { cat /tmp/migrate.log; exit 1; }
exec airflow dags test light
"""


@pytest.mark.timeout(900)
def test_a_stage_starts_from_an_airflow_in_a_pod(cluster: Cluster) -> None:
    cluster.load(AIRFLOW)
    faults = Path(__file__).with_name("faults.py").read_text(encoding="utf-8")
    cluster.api.create_namespaced_config_map(
        NAMESPACE,
        k8s.V1ConfigMap(
            metadata=k8s.V1ObjectMeta(name="dags"), data={"faults.py": faults}
        ),
    )
    cluster.api.create_namespaced_pod(NAMESPACE, airflow_pod())

    def ended() -> Any | None:
        pod = cluster.api.read_namespaced_pod("airflow", NAMESPACE)
        return pod if pod.status.phase in ("Succeeded", "Failed") else None

    pod = until("the end of Airflow's pod", ended, 600, 1.0)
    log = cluster.api.read_namespaced_pod_log("airflow", NAMESPACE)
    assert pod.status.phase == "Succeeded", log[-4000:]
    assert "state=success" in log or "marked success" in log.lower(), log[-4000:]
    assert "second 4 of 5" in log, "the stage's own lines"
    cluster.wait_until_gone()


def airflow_pod() -> k8s.V1Pod:
    environment = {
        "KINDLING_RUNTIME": "kubernetes",
        "KINDLING_IN_CLUSTER": "true",
        "KINDLING_IMAGE": PIPELINE,
        "KINDLING_KEYWORDS": "elasticsearch",
        "BARE_IMAGE": BARE,
        "AIRFLOW__CORE__DAGS_FOLDER": "/dags",
        "AIRFLOW_HOME": "/tmp/airflow",
        "AIRFLOW__LOGGING__BASE_LOG_FOLDER": "/tmp/airflow/logs",
    }
    return k8s.V1Pod(
        metadata=k8s.V1ObjectMeta(name="airflow"),
        spec=k8s.V1PodSpec(
            service_account_name="airflow",
            restart_policy="Never",
            containers=[
                k8s.V1Container(
                    name="airflow",
                    image=AIRFLOW,
                    command=["sh", "-c", LIGHT],
                    env=[
                        k8s.V1EnvVar(name=name, value=value)
                        for name, value in environment.items()
                    ],
                    # One file, not the folder: a ConfigMap's folder holds links to its own
                    # folders, which Airflow refuses to walk as a loop.
                    volume_mounts=[
                        k8s.V1VolumeMount(
                            name="dags",
                            mount_path="/dags/faults.py",
                            sub_path="faults.py",
                        )
                    ],
                )
            ],
            volumes=[
                k8s.V1Volume(
                    name="dags",
                    config_map=k8s.V1ConfigMapVolumeSource(name="dags"),
                )
            ],
        ),
    )
