"""What a pod is made of: settings that no pod could work with are refused, and which image and cores it asks for."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from kindling.catalog import stage
from kindling_airflow import pods
from kindling_airflow.cluster import cluster
from kindling_airflow.command import stage_arguments
from kindling_airflow.pod_operator import StagePodOperator

ENVIRONMENT = {
    "KINDLING_IMAGE": "registry.example/kindling:1.4.0",
    "KINDLING_KEYWORDS": "elasticsearch",
}


def operator_of(name: str, settings: Any) -> StagePodOperator:
    return StagePodOperator(
        task_id=name, stage=name, arguments=stage_arguments(name), cluster=settings
    )


@pytest.mark.parametrize(
    ("name", "value", "wanted"),
    [
        ("KINDLING_OBJECTS_URL", "file:///var/objects", "s3://bucket/prefix"),
        ("KINDLING_KEYWORDS", "embedded", "elasticsearch"),
        ("KINDLING_KEYWORDS", "", "elasticsearch"),
        ("KINDLING_SHOP_URL", "http://127.0.0.1:8090", "that pods reach"),
        ("KINDLING_SHOP_URL", "http://localhost:8090", "that pods reach"),
        (
            "KINDLING_DATABASE_URL",
            "postgresql://u:hunter2@127.0.0.1/k",
            "that pods reach",
        ),
        ("KINDLING_ELASTICSEARCH_URL", "http://[::1]:9200", "that pods reach"),
        ("AWS_ENDPOINT_URL", "http://127.0.0.1:9000", "that pods reach"),
        ("KINDLING_IN_CLUSTER", "perhaps", "true, false"),
        ("KINDLING_SYNTHESIZE_GPU", "1", "true, false"),
        ("KINDLING_PENDING_HOURS", "-1", "above 0, below 8760"),
        ("KINDLING_POD_START_S", "soon", "above 0, below 86400"),
        ("KINDLING_TRAIN_IMAGE", "train:latest", "version tag or digest"),
    ],
)
def test_what_no_pod_could_work_with_is_refused_with_the_setting_to_change(
    name: str, value: str, wanted: str
) -> None:
    with pytest.raises(ValueError, match=name) as raised:
        cluster({**ENVIRONMENT, name: value})
    assert wanted in str(raised.value) and "hunter2" not in str(raised.value)


def test_what_pods_reach_is_taken() -> None:
    given = {
        "KINDLING_OBJECTS_URL": "s3://bucket/kindling",
        "KINDLING_SHOP_URL": "https://shop.example",
        "KINDLING_DATABASE_URL": "postgresql://u:hunter2@postgres.data/kindling",
        "KINDLING_IN_CLUSTER": "true",
    }
    made = cluster({**ENVIRONMENT, **given})
    assert made.environment["KINDLING_SHOP_URL"] == "https://shop.example"
    assert "hunter2" not in str(made)


@pytest.mark.parametrize(
    ("value", "in_cluster", "file"),
    [("", None, None), ("true", True, None), ("false", None, "/etc/kube")],
)
def test_the_cluster_s_address_is_a_setting(
    value: str, in_cluster: bool | None, file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KUBECONFIG", "/etc/kube")
    made = operator_of(
        "scrape", cluster({**ENVIRONMENT, "KINDLING_IN_CLUSTER": value})
    ).pod()
    assert (made.in_cluster, made.config_file) == (in_cluster, file)


def test_only_stages_that_need_torch_get_the_image_that_carries_it() -> None:
    made = cluster({**ENVIRONMENT, "KINDLING_TRAIN_IMAGE": "kindling-train:1.4.0"})
    images = {name: operator_of(name, made).pod().image for name in ("label", "train")}
    assert images == {
        "label": ENVIRONMENT["KINDLING_IMAGE"],
        "train": "kindling-train:1.4.0",
    }


@pytest.mark.parametrize("told", ["", "true"])
def test_synthesize_paints_on_a_gpu_where_it_is_told_to(told: str) -> None:
    settings = cluster(
        {
            **ENVIRONMENT,
            "KINDLING_TRAIN_IMAGE": "registry.example/train:1.4.0",
            "KINDLING_SYNTHESIZE_GPU": told,
        }
    )
    pod = operator_of("synthesize", settings).pod()
    asked = pod.container_resources.limits.get("nvidia.com/gpu")
    if told:
        assert (pod.image, asked) == ("registry.example/train:1.4.0", "1")
    else:
        assert (pod.image, asked) == (ENVIRONMENT["KINDLING_IMAGE"], None)


@pytest.mark.parametrize(
    ("most", "asked"),
    [("", {"scrape": "1", "train": "2"}), ("0.9", {"scrape": "0.9", "train": "0.9"})],
)
def test_a_pod_asks_for_no_more_cores_than_its_nodes_have(
    most: str, asked: dict[str, str]
) -> None:
    made = cluster({**ENVIRONMENT, "KINDLING_POD_CPU": most})
    for name, cpu in asked.items():
        requests = pods.pod_arguments(stage(name), [], made)[
            "container_resources"
        ].requests
        assert requests["cpu"] == cpu


def test_a_number_of_cores_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match=r"KINDLING_POD_CPU='two'; allowed"):
        cluster({**ENVIRONMENT, "KINDLING_POD_CPU": "two"})


def test_parsing_does_not_import_the_kubernetes_client(repository: Path) -> None:
    program = (
        "import sys\nfrom kindling_airflow.stage_factory import stage_task\n"
        "stage_task('train')\nfound = [one for one in sys.modules if one.startswith('kubernetes')]\n"
        "assert not found, found"
    )
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program],
        env={
            **ENVIRONMENT,
            "KINDLING_RUNTIME": "kubernetes",
            "PYTHONPATH": str(repository / "include"),
            "HOME": str(repository.parent),
            "AIRFLOW_HOME": os.environ["AIRFLOW_HOME"],
        },
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
