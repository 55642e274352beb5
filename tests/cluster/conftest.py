"""One cluster, one set of stores and one Airflow for the whole lane."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from .outside import Airflow
from .rig import AIRFLOW, BARE, PASSWORD, PIPELINE, ROOT, SHOP, TRAIN, Cluster, docker
from .stores import database, stores

#: Where `make bench NAME=pods` wants what the tests have measured.
FIGURES = "KINDLING_TEST_FIGURES"
_measured: dict[str, Any] = {}


@pytest.fixture(scope="session")
def figures() -> Iterator[dict[str, Any]]:
    """What a test has measured, by the bench's key."""
    yield _measured
    if path := os.environ.get(FIGURES):
        Path(path).write_text(json.dumps(_measured))


@pytest.fixture(scope="session")
def images() -> None:
    """The product's images, built from this tree."""
    for name, tag in (
        ("pipeline", PIPELINE),
        ("train", TRAIN),
        ("shop", SHOP),
        ("airflow", AIRFLOW),
    ):
        file = f"containers/{name}/Dockerfile"
        docker("build", "--network", "host", "-q", "-f", file, "-t", tag, ".")


@pytest.fixture(scope="session")
def addresses(images: None) -> Iterator[dict[str, str]]:
    """`host:port` of every store, as pods reach it."""
    with stores(("postgres", "s3", "elasticsearch", "shop")) as running:
        yield running


@pytest.fixture(scope="session")
def session_cluster(
    addresses: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Cluster:
    """The cluster with namespace, Secret and the images that its pods run."""
    cluster = Cluster()
    cluster.load(BARE)
    cluster.make_namespace(
        {
            "KINDLING_DATABASE_URL": database(addresses["postgres"], "kindling"),
            "KINDLING_MLFLOW_URL": database(
                addresses["postgres"], "mlflow", "+psycopg"
            ),
            "KINDLING_ELASTICSEARCH_URL": f"http://{addresses['elasticsearch']}",
            "AWS_ACCESS_KEY_ID": "key",
            "AWS_SECRET_ACCESS_KEY": PASSWORD,
        },
        tmp_path_factory.mktemp("secret"),
    )
    return cluster


@pytest.fixture
def cluster(session_cluster: Cluster) -> Iterator[Cluster]:
    """The cluster without a pod, before and after."""
    session_cluster.clear()
    yield session_cluster
    session_cluster.clear()


@pytest.fixture(scope="session")
def airflow(
    addresses: dict[str, str],
    session_cluster: Cluster,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Airflow]:
    """Airflow outside the cluster, with the nightly DAG on pods and the faults beside it."""
    product = {
        "KINDLING_RUNTIME": "kubernetes",
        "KINDLING_IN_CLUSTER": "false",
        "KINDLING_IMAGE": PIPELINE,
        "KINDLING_TRAIN_IMAGE": TRAIN,
        "KINDLING_SHARDS": "2",
        # So that a pod that waits for a node is looked at while a test watches.
        "KINDLING_POD_START_S": "45",
        # A node of two cores, and a little of them for the rest of the pod.
        "KINDLING_POD_CPU": "0.9",
        "KINDLING_RECIPE": "smoke",
        "KINDLING_SHOP_URL": f"http://{addresses['shop']}",
        "KINDLING_OBJECTS_URL": "s3://kindling/objects",
        "KINDLING_KEYWORDS": "elasticsearch",
        "KINDLING_CHROMIUM": "/usr/bin/chromium-headless-shell",
        "AWS_ENDPOINT_URL": f"http://{addresses['s3']}",
        "AWS_DEFAULT_REGION": "us-east-1",
        "BARE_IMAGE": BARE,
    }
    made = Airflow(
        tmp_path_factory.mktemp("airflow"),
        [
            ROOT / "dags/nightly_retraining.py",
            Path(__file__).with_name("faults.py"),
        ],
        addresses["postgres"],
        product,
    )
    try:
        made.start()
        yield made
    finally:
        made.stop()
