"""The cluster that pods run on, and what the lane is told by its environment.

Told by its environment, which `.ci/test-kubernetes` sets:

    KUBECONFIG               the cluster
    KINDLING_TEST_LOAD       a command that brings the images it is given into the cluster
    KINDLING_TEST_HOST       this machine's address as pods see it
    DOCKER                   the client of a Docker Engine, which the stores run in
"""

import contextlib
import os
import re
import shlex
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from kubernetes import client as k8s
from kubernetes import config

Found = TypeVar("Found")

ROOT = Path(__file__).resolve().parents[2]
NAMESPACE = "kindling"
VERSION = "0.1.0"
PIPELINE = f"kindling:{VERSION}"
TRAIN = f"kindling-train:{VERSION}"
SHOP = f"kindling-shop:{VERSION}"
AIRFLOW = f"kindling-airflow:{VERSION}"
#: What the faults' pods run: Python and nothing else, so that a case takes seconds.
BARE = "python:3.11-slim-bookworm"
PASSWORD = "not-a-secret-of-anybody"
BUCKET = "kindling"


def needed(name: str) -> str:
    """The value of a variable that the lane cannot do without."""
    value = os.environ.get(name, "")
    if not value:
        raise RuntimeError(f"{name} is not set; run: make test-kubernetes")
    return value


def until(
    what: str, look: Callable[[], Found | None], seconds: float, pause: float = 0.3
) -> Found:
    """What `look` finds, once it finds something; AssertionError after `seconds`."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if (found := look()) is not None:
            return found
        time.sleep(pause)
    raise AssertionError(f"not within {seconds:.0f} s: {what}")


def docker(*arguments: str) -> str:
    """Output of the Docker client."""
    argv = [os.environ.get("DOCKER") or "docker", *arguments]
    done = subprocess.run(
        argv, cwd=ROOT, capture_output=True, text=True, check=False, timeout=1800
    )
    if done.returncode:
        raise RuntimeError(f"{shlex.join(argv)}: {done.stderr[-3000:]}")
    return done.stdout.strip()


class Cluster:
    """The namespace of the tests; pods of the last test are gone before the next."""

    def __init__(self) -> None:
        config.load_kube_config(needed("KUBECONFIG"))
        self.api = k8s.CoreV1Api()

    def load(self, *images: str) -> None:
        """Bring images of the local Docker into the cluster."""
        subprocess.run(
            [*shlex.split(needed("KINDLING_TEST_LOAD")), *images],
            check=True,
            capture_output=True,
            timeout=1800,
        )

    def make_namespace(self, secret: Mapping[str, str], folder: Path) -> None:
        """Anew, by the commands of the runbook: namespace, Secret, and the role of an Airflow inside."""
        with contextlib.suppress(k8s.ApiException):
            self.api.delete_namespace(NAMESPACE)
        until("no namespace", self._is_gone, 120)
        lines = [f"{name}={value}\n" for name, value in secret.items()]
        (folder / "secret.env").write_text("".join(lines))
        (commands,) = [one for one in _runbook("Pods") if "create namespace" in one]
        subprocess.run(["bash", "-euc", commands], cwd=folder, check=True)
        until("a service account", self._account, 60)

    def _is_gone(self) -> bool | None:
        names = {one.metadata.name for one in self.api.list_namespace().items}
        return None if NAMESPACE in names else True

    def _account(self) -> bool | None:
        accounts = self.api.list_namespaced_service_account(NAMESPACE).items
        return True if any(one.metadata.name == "default" for one in accounts) else None

    def pods(self, run: str = "") -> list[Any]:
        """The product's pods, of one run or of all."""
        selector = "app.kubernetes.io/name=kindling"
        found = self.api.list_namespaced_pod(NAMESPACE, label_selector=selector).items
        if not run:
            return list(found)
        return [pod for pod in found if pod.metadata.labels.get("run_id") == run]

    def pod(self, run: str) -> Any:
        """The run's one pod, once its container runs."""

        def running() -> Any | None:
            pods = [one for one in self.pods(run) if _runs(one)]
            return pods[-1] if pods else None

        return until(f"a running pod of {run}", running, 120)

    def wait_until_gone(self, run: str = "") -> None:
        """Until none of the product's pods is left, of one run or of all."""
        until("no pod", lambda: None if self.pods(run) else True, 120, 0.2)

    def evict(self, name: str) -> None:
        """As `kubectl drain` does."""
        for version in ("policy/v1", "policy/v1beta1"):
            eviction = k8s.V1Eviction(
                api_version=version,
                kind="Eviction",
                metadata=k8s.V1ObjectMeta(name=name, namespace=NAMESPACE),
            )
            try:
                self.api.create_namespaced_pod_eviction(name, NAMESPACE, eviction)
                return
            except k8s.ApiException as error:
                refused = error
        raise refused

    def clear(self) -> None:
        """Delete every pod of the namespace and wait until they are gone."""
        self.api.delete_collection_namespaced_pod(NAMESPACE, grace_period_seconds=1)
        until(
            "an empty namespace",
            lambda: None if self.api.list_namespaced_pod(NAMESPACE).items else "empty",
            90,
        )


def _runbook(heading: str) -> list[str]:
    """The shell blocks of a section of the runbook."""
    text = (ROOT / "include/docs/runbook.md").read_text(encoding="utf-8")
    section = text.split(f"## {heading}\n")[1].split("\n## ")[0]
    return re.findall(r"```sh\n(.*?)```", section, re.DOTALL)


def _runs(pod: Any) -> bool:
    statuses = pod.status.container_statuses or []
    base = [one for one in statuses if one.name == "base"]
    return bool(base and base[0].state.running) and not pod.metadata.deletion_timestamp
