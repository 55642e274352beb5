"""The manifest of a stage's pod. Every default of a pod stands here, with its reason.

Imported only where pods are made: the Kubernetes client alone takes seconds.
"""

from collections.abc import Sequence
from typing import Any

from kubernetes.client import models as k8s

from kindling.catalog import Stage
from kindling_airflow.cluster import SECRETS, Cluster
from kindling_airflow.command import REPORT_PATH

#: Any number but root's; the image needs no user of this number, since its HOME is /tmp.
USER = 10001


def pod_arguments(
    stage: Stage, arguments: Sequence[str], cluster: Cluster
) -> dict[str, Any]:
    """Arguments of the KubernetesPodOperator of this stage."""
    return {
        "name": f"kindling-{stage.name}".replace("_", "-"),
        "namespace": cluster.namespace,
        "labels": {
            "app.kubernetes.io/name": "kindling",
            "app.kubernetes.io/component": stage.name,
        },
        "image": cluster.image_of(stage),
        # A fixed tag never changes, so a node that has it need not ask the registry.
        "image_pull_policy": "IfNotPresent",
        "cmds": ["python"],
        "arguments": list(arguments),
        "env_vars": _environment(stage, cluster),
        "container_resources": _resources(stage, cluster),
        "tolerations": _tolerations(stage),
        **_storage(),
        **_security(),
        **_lifecycle(stage, cluster),
    }


def _environment(stage: Stage, cluster: Cluster) -> list[k8s.V1EnvVar]:
    by_reference = [
        k8s.V1EnvVar(
            name=name,
            value_from=k8s.V1EnvVarSource(
                secret_key_ref=k8s.V1SecretKeySelector(
                    name=cluster.secret, key=name, optional=optional
                )
            ),
        )
        for name, optional in SECRETS.items()
    ]
    threads = str(max(1, int(stage.cpu)))
    plain = dict(cluster.environment)
    plain |= {
        REPORT_PATH: "/airflow/xcom/return.json",
        # In a pod, cpu_count() tells the node's cores, not the pod's share.
        "KINDLING_THREADS": threads,
        "OMP_NUM_THREADS": threads,
        "PYTHONUNBUFFERED": "1",
        # The only folder that a read-only image lets libraries keep their caches in.
        "HOME": "/tmp",
    }
    return by_reference + [
        k8s.V1EnvVar(name=name, value=value) for name, value in plain.items()
    ]


def _resources(stage: Stage, cluster: Cluster) -> k8s.V1ResourceRequirements:
    memory = f"{round(stage.memory_gib * 1024)}Mi"
    cpu = str(min(stage.cpu, cluster.most_cpu))
    # Memory cannot be taken back, so what is promised is what is allowed; idle cores may be borrowed,
    # hence no CPU limit. A GPU is asked for in limits, and requests follow.
    limits = {"memory": memory} | (
        {"nvidia.com/gpu": str(stage.gpu)} if stage.gpu else {}
    )
    return k8s.V1ResourceRequirements(
        requests={"cpu": cpu, "memory": memory}, limits=limits
    )


def _tolerations(stage: Stage) -> list[k8s.V1Toleration]:
    # Cloud providers taint GPU nodes so that only pods that say so land there.
    toleration = k8s.V1Toleration(
        key="nvidia.com/gpu", operator="Exists", effect="NoSchedule"
    )
    return [toleration] if stage.gpu else []


def _storage() -> dict[str, Any]:
    return {
        "volumes": [
            k8s.V1Volume(
                name="tmp", empty_dir=k8s.V1EmptyDirVolumeSource(size_limit="10Gi")
            ),
            # The runtime's default of 64 MiB is too little for Chromium and for torch's loaders.
            k8s.V1Volume(
                name="shm",
                empty_dir=k8s.V1EmptyDirVolumeSource(medium="Memory", size_limit="1Gi"),
            ),
        ],
        "volume_mounts": [
            k8s.V1VolumeMount(name="tmp", mount_path="/tmp"),
            k8s.V1VolumeMount(name="shm", mount_path="/dev/shm"),
        ],
    }


def _security() -> dict[str, Any]:
    """What the Pod Security Standard `restricted` asks for, and a read-only image."""
    container = k8s.V1SecurityContext(
        allow_privilege_escalation=False,
        capabilities=k8s.V1Capabilities(drop=["ALL"]),
        read_only_root_filesystem=True,
    )
    return {
        "security_context": k8s.V1PodSecurityContext(
            run_as_non_root=True,
            run_as_user=USER,
            run_as_group=USER,
            fs_group=USER,
            seccomp_profile=k8s.V1SeccompProfile(type="RuntimeDefault"),
        ),
        "container_security_context": container,
        # The sidecar has none of its own and would be refused by that standard.
        "xcom_sidecar_container_security_context": container,
        # A stage talks to stores, never to the cluster.
        "automount_service_account_token": False,
    }


def _lifecycle(stage: Stage, cluster: Cluster) -> dict[str, Any]:
    return {
        # The default is False: the report would be lost.
        "do_xcom_push": True,
        # A retried or restarted task finds its running pod again instead of starting a second one.
        "durable": True,
        "random_name_suffix": True,
        # A worker waits for its pod: LocalExecutor can lose the race of a deferred task that resumes at once.
        "deferrable": False,
        "schedule_timeout_seconds": cluster.start_s,
        "startup_timeout_seconds": cluster.start_s,
        # The cluster's own guard, for a pod whose task is gone; later than Airflow's timeout.
        "active_deadline_seconds": stage.timeout_minutes * 60 + 300,
        # Time to close a database transaction after TERM.
        "termination_grace_period": 60,
        # A failed pod stays to be looked at; the next attempt starts its own.
        "on_finish_action": "delete_succeeded_pod",
        "log_events_on_failure": True,
        # The whole pod as one log line hides the stage's own last words.
        "log_pod_spec_on_failure": False,
    }
