"""The two runtimes never drift: same tasks, arguments and names; and pods that a cluster would take."""

import os
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import kubernetes_validate
import pytest
from airflow.dag_processing.dagbag import DagBag
from airflow.providers.cncf.kubernetes.operators.pod import KubernetesPodOperator
from airflow.sdk import DAG
from airflow.sdk.exceptions import AirflowException, AirflowFailException
from airflow.serialization.serialized_objects import DagSerialization
from kubernetes.client import ApiClient

from kindling.__main__ import parser
from kindling.catalog import STAGE_ENVIRONMENT, STAGE_NAMES, STAGES, Stage
from kindling_airflow.cluster import SECRETS, fixed_image
from kindling_airflow.command import OBJECT_STORE_ENVIRONMENT, REPORT_PATH
from kindling_airflow.process_operator import process_environment
from kindling_airflow.stage_factory import stage_task

KUBERNETES = ("1.31", "1.34")
SECRET_VALUE = "postgresql://user:hunter2@db/kindling"

Load = Callable[[str], DAG]
Pod = Callable[[str], dict[str, Any]]


@pytest.fixture
def load(repository: Path, monkeypatch: pytest.MonkeyPatch) -> Load:
    monkeypatch.setenv("KINDLING_IMAGE", "registry.example/kindling:1.4.0")
    for name in (*STAGE_ENVIRONMENT, *OBJECT_STORE_ENVIRONMENT):
        monkeypatch.setenv(
            name, SECRET_VALUE if name in SECRETS else f"value of {name}"
        )

    def loaded(runtime: str) -> DAG:
        monkeypatch.setenv("KINDLING_RUNTIME", runtime)
        bag = DagBag(repository / "dags")
        assert not bag.import_errors
        return bag.dags["nightly_retraining"]

    return loaded


@pytest.fixture
def pod(load: Load, tmp_path: Path) -> Pod:
    config = (
        tmp_path / "kubeconfig"
    )  # Building a pod asks for a cluster's address, and no more.
    config.write_text(
        "{apiVersion: v1, kind: Config, current-context: c,"
        " contexts: [{name: c, context: {cluster: k, user: u}}],"
        " clusters: [{name: k, cluster: {server: 'http://127.0.0.1:1'}}], users: [{name: u, user: {}}]}"
    )

    def built(name: str) -> dict[str, Any]:
        task, context = load("kubernetes").get_task(name), _context(name)
        task.render_template_fields(context)
        operator = task.pod()
        operator.config_file = str(config)
        return ApiClient().sanitize_for_serialization(
            operator.build_pod_request_obj(context)
        )

    return built


def _context(task_id: str, **params: Any) -> dict[str, Any]:
    instance = SimpleNamespace(
        dag_id="nightly_retraining",
        task_id=task_id,
        run_id="manual__2026-11-21T02:00:00+00:00",
        try_number=1,
        map_index=-1,
        xcom_pull=lambda **_: None,
    )
    return {
        "dag": SimpleNamespace(),
        "ti": instance,
        "task_instance": instance,
        "run_id": instance.run_id,
        "dag_run": SimpleNamespace(conf=params or None, run_id=instance.run_id),
        "params": {"recipe": "demo", "niche": "", "target_size": None, **params},
    }


def _arguments(dag: DAG, name: str, **params: Any) -> list[str]:
    task = dag.get_task(name)
    task.render_template_fields(_context(name, **params))
    return task.arguments


def test_same_tasks_edges_and_arguments(load: Load) -> None:
    process, kubernetes = load("process"), load("kubernetes")
    for name in STAGE_NAMES:
        here, there = process.get_task(name), kubernetes.get_task(name)
        assert here.downstream_task_ids == there.downstream_task_ids
        assert here.arguments == there.arguments
        for policy in (
            "pool",
            "retries",
            "retry_delay",
            "execution_timeout",
            "on_failure_callback",
        ):
            assert getattr(here, policy) == getattr(there, policy)
    assert set(process.task_dict) == set(kubernetes.task_dict) == set(STAGE_NAMES)


@pytest.mark.parametrize("runtime", ["process", "kubernetes"])
def test_a_stage_that_can_be_split_is_mapped_over_its_shards(
    load: Load, runtime: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KINDLING_SHARDS", "3")
    dag = load(runtime)
    mapped = [name for name in STAGE_NAMES if dag.get_task(name).is_mapped]
    assert mapped == [stage.name for stage in STAGES if stage.shards]
    assert mapped == ["scrape", "synthesize"]
    for name, after in (("scrape", "dedupe"), ("synthesize", "challenge")):
        task = dag.get_task(name)
        assert task.downstream_task_ids == {after}
        assert task.expand_input.value == {"shard": ["0/3", "1/3", "2/3"]}
    assert DagSerialization.to_dict(dag)


def test_a_number_of_shards_that_is_none_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("KINDLING_SHARDS", "many")
    with pytest.raises(ValueError, match="KINDLING_SHARDS='many'; allowed"):
        stage_task("scrape")


@pytest.mark.parametrize(
    ("params", "niche", "target_size"),
    [
        ({}, "", ""),
        ({"niche": None}, "", ""),
        ({"niche": "Skirts,Wall clocks", "target_size": 0}, "Skirts,Wall clocks", "0"),
        (
            {"niche": "--run=other {{ 1 }} 'q' \"d\""},
            "--run=other {{ 1 }} 'q' \"d\"",
            "",
        ),
    ],
)
def test_the_command_line_takes_the_arguments(
    load: Load,
    params: dict[str, Any],
    niche: str,
    target_size: str,
) -> None:
    interpreter, module, *rest = _arguments(load("process"), "label", **params)
    assert (interpreter, module) == ("-m", "kindling")
    parsed = parser().parse_args(rest)
    assert (parsed.command, parsed.recipe) == ("label", "demo")
    assert (parsed.niche, parsed.target_size) == (niche, target_size)
    assert parsed.run == "manual__2026-11-21T02:00:00+00:00"
    assert parsed.conf.startswith("{")


def test_same_environment_names(pod: Pod, monkeypatch: pytest.MonkeyPatch) -> None:
    in_pod = {one["name"] for one in pod("train")["spec"]["containers"][0]["env"]}
    in_process = set(process_environment(os.environ)) | {REPORT_PATH}
    product = {
        name for name in in_process | in_pod if name.startswith(("KINDLING_", "AWS_"))
    }
    assert product <= in_pod and product <= in_process
    assert product == {*STAGE_ENVIRONMENT, *OBJECT_STORE_ENVIRONMENT, REPORT_PATH}


@pytest.mark.parametrize("stage", STAGES, ids=lambda stage: stage.name)
def test_pod_is_valid_and_bounded(pod: Pod, stage: Stage) -> None:
    manifest = pod(stage.name)
    for version in KUBERNETES:
        kubernetes_validate.validate(manifest, version, strict=True)
    main, *others = manifest["spec"]["containers"]
    assert main["args"][:3] == ["-m", "kindling", stage.name]
    assert manifest["metadata"]["name"].startswith(f"kindling-{stage.name}")
    limits, requests = main["resources"]["limits"], main["resources"]["requests"]
    assert limits["memory"] == requests["memory"] == f"{int(stage.memory_gib * 1024)}Mi"
    assert ("nvidia.com/gpu" in limits) == (stage.name in {"train", "evaluate"})
    assert bool(manifest["spec"].get("tolerations")) == bool(stage.gpu)
    assert manifest["spec"]["activeDeadlineSeconds"] > stage.timeout_minutes * 60
    for container in (main, *others):
        assert fixed_image(container["image"])
        context = container["securityContext"]
        assert (
            context["allowPrivilegeEscalation"] is False
            and context["readOnlyRootFilesystem"] is True
        )
        assert context["capabilities"] == {"drop": ["ALL"]}
    assert manifest["spec"]["securityContext"]["runAsNonRoot"] is True
    assert manifest["spec"]["automountServiceAccountToken"] is False
    assert {"/tmp", "/dev/shm", "/airflow/xcom"} == {
        one["mountPath"] for one in main["volumeMounts"]
    }


def test_no_secret_stands_in_a_pod_or_a_dag(pod: Pod, load: Load) -> None:
    assert "hunter2" not in str(pod("scrape"))
    assert "hunter2" not in str(DagSerialization.to_dict(load("kubernetes")))
    environment = pod("scrape")["spec"]["containers"][0]["env"]
    references = {
        one["name"]: one["valueFrom"]["secretKeyRef"]
        for one in environment
        if "valueFrom" in one
    }
    assert set(references) == set(SECRETS)
    assert all(
        one["key"] == name and one["name"] == "kindling"
        for name, one in references.items()
    )


@pytest.mark.parametrize(
    "image",
    [
        "",
        "kindling",
        "kindling:latest",
        "registry.example:5000/kindling",
        "kindling:stable",
        "kindling:main",
        "kindling@sha256:12",
        "kindling:v1.0-latest",
    ],
)
def test_floating_images_are_refused(image: str) -> None:
    with pytest.raises(ValueError, match="KINDLING_IMAGE="):
        fixed_image(image)


@pytest.mark.parametrize(
    "image",
    [
        "kindling:1.4.0",
        "registry.example:5000/team/kindling:2026-11-21",
        f"kindling@sha256:{'a' * 64}",
        f"kindling:1.0@sha256:{'0' * 64}",
        "kindling:v2",
    ],
)
def test_fixed_images_are_taken(image: str) -> None:
    assert fixed_image(image) == image


def _ended(exit_code: int | None) -> SimpleNamespace:
    terminated = (
        None if exit_code is None else SimpleNamespace(exit_code=exit_code, message="")
    )
    status = SimpleNamespace(name="base", state=SimpleNamespace(terminated=terminated))
    return SimpleNamespace(
        status=SimpleNamespace(phase="Failed", container_statuses=[status])
    )


@pytest.mark.parametrize(
    ("exit_code", "final"),
    [
        (1, True),
        (2, True),
        (3, True),
        (75, False),
        (137, False),
        (143, False),
        (None, False),
    ],
)
def test_exit_code_of_a_pod_decides(
    load: Load,
    monkeypatch: pytest.MonkeyPatch,
    exit_code: int | None,
    final: bool,
) -> None:
    def fails(*_: Any) -> None:
        raise AirflowException("Pod returned a failure")

    monkeypatch.setattr(KubernetesPodOperator, "cleanup", fails)
    with pytest.raises(AirflowException) as raised:
        load("kubernetes").get_task("train").pod().cleanup(None, _ended(exit_code))
    assert isinstance(raised.value, AirflowFailException) is final
