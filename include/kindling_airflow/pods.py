"""The runtime `kubernetes`: a stage as a pod. Every default of a pod stands here, with its reason.

Imported only where pods are made: the Kubernetes client alone takes seconds.
"""

import json
import os
import re
from collections.abc import Mapping
from typing import Any

from airflow.providers.cncf.kubernetes.operators.pod import KubernetesPodOperator
from airflow.sdk.exceptions import AirflowException, AirflowSkipException
from kubernetes.client import models as k8s

from kindling.catalog import Stage
from kindling_airflow.command import REPORT_PATH, product_environment, stage_arguments
from kindling_airflow.policies import checked_report, failure, task_policy

IMAGE = "KINDLING_IMAGE"
NAMESPACE = "KINDLING_NAMESPACE"
SECRET_NAME = "KINDLING_SECRET_NAME"

#: Variables whose values are (or hold) credentials: named here, kept in the cluster's Secret under the
#: same key, never in a DAG. The value says whether a pod may start without it.
SECRETS: Mapping[str, bool] = {
    "KINDLING_DATABASE_URL": False,
    "KINDLING_MLFLOW_URL": False,
    "KINDLING_ELASTICSEARCH_URL": True,
    "AWS_ACCESS_KEY_ID": True,
    "AWS_SECRET_ACCESS_KEY": True,
    "AWS_SESSION_TOKEN": True,
}

#: Any number but root's; the image needs no user of this number, since its HOME is /tmp.
USER = 10001

#: A version or a commit; no tag that says by its name that it moves.
_FIXED_TAG = re.compile(r"^[^@]+:(?![\w.-]*latest)(v?\d[\w.-]*|[0-9a-f]{7,40})$")
_DIGEST = re.compile(r"@sha256:[0-9a-f]{64}$")


class StagePodOperator(KubernetesPodOperator):
    """A pod whose exit code and report mean what those of a process do.

    The parent retries every failure alike and passes any JSON on as the result.
    """

    def __init__(self, *, stage: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.stage = stage

    def execute(self, context: Any) -> dict[str, Any]:
        """The stage's report; AirflowFailException when a retry is of no use."""
        result = super().execute(context)
        return checked_report(
            self.stage, None if result is None else json.dumps(result)
        )

    def cleanup(
        self, pod: Any, remote_pod: Any, xcom_result: Any = None, context: Any = None
    ) -> None:
        """As the parent does, with the failure named by the container's exit code."""
        try:
            super().cleanup(pod, remote_pod, xcom_result, context)
        except AirflowSkipException:
            raise
        except AirflowException as error:
            raise failure(
                self.stage, _exit_code(remote_pod, self.base_container_name)
            ) from error


def stage_pod(stage: Stage) -> StagePodOperator:
    """The stage's pod operator; ValueError when KINDLING_IMAGE is missing or floats."""
    return StagePodOperator(
        stage=stage.name,
        **task_policy(stage),
        name=f"kindling-{stage.name}".replace("_", "-"),
        namespace=os.environ.get(NAMESPACE) or "kindling",
        labels={
            "app.kubernetes.io/name": "kindling",
            "app.kubernetes.io/component": stage.name,
        },
        image=fixed_image(os.environ.get(IMAGE, "")),
        # A fixed tag never changes, so a node that has it need not ask the registry.
        image_pull_policy="IfNotPresent",
        cmds=["python"],
        arguments=stage_arguments(stage.name),
        env_vars=_environment(stage),
        container_resources=_resources(stage),
        tolerations=_tolerations(stage),
        **_storage(),
        **_security(),
        **_lifecycle(stage),
    )


def fixed_image(image: str) -> str:
    """`image` itself if it names one build for good: a digest, or a tag with a version in it."""
    if _DIGEST.search(image) or _FIXED_TAG.match(image):
        return image
    raise ValueError(
        f"{IMAGE}={image!r}; wanted: an image with a version tag or digest, such as "
        "registry.example/kindling:1.4.0 or …@sha256:…; a floating tag would change what a retry runs"
    )


def _environment(stage: Stage) -> list[k8s.V1EnvVar]:
    secret = os.environ.get(SECRET_NAME) or "kindling"
    by_reference = [
        k8s.V1EnvVar(
            name=name,
            value_from=k8s.V1EnvVarSource(
                secret_key_ref=k8s.V1SecretKeySelector(
                    name=secret, key=name, optional=optional
                )
            ),
        )
        for name, optional in SECRETS.items()
    ]
    threads = str(max(1, int(stage.cpu)))
    plain = {
        name: value
        for name, value in product_environment(os.environ).items()
        if name not in SECRETS
    }
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


def _resources(stage: Stage) -> k8s.V1ResourceRequirements:
    memory = f"{round(stage.memory_gib * 1024)}Mi"
    # Memory cannot be taken back, so what is promised is what is allowed; idle cores may be borrowed,
    # hence no CPU limit. A GPU is asked for in limits, and requests follow.
    limits = {"memory": memory} | (
        {"nvidia.com/gpu": str(stage.gpu)} if stage.gpu else {}
    )
    return k8s.V1ResourceRequirements(
        requests={"cpu": str(stage.cpu), "memory": memory}, limits=limits
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


def _lifecycle(stage: Stage) -> dict[str, Any]:
    return {
        # The default is False: the report would be lost.
        "do_xcom_push": True,
        # A retried or restarted task finds its running pod again instead of starting a second one.
        "durable": True,
        "random_name_suffix": True,
        # A worker waits for its pod: LocalExecutor can lose the race of a deferred task that resumes at once.
        "deferrable": False,
        # Pulling gigabytes of torch onto a node that is only now being made; the default is 120 s.
        "startup_timeout_seconds": 600,
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


def _exit_code(pod: Any, container: str) -> int | None:
    """The container's exit code; None if it never came to one."""
    statuses = (
        pod.status.container_statuses if pod is not None and pod.status else None
    ) or []
    states = [status.state for status in statuses if status.name == container]
    return (
        states[0].terminated.exit_code
        if states and states[0] and states[0].terminated
        else None
    )
