"""ModelRegistry over MLflow, on a real PostgreSQL."""

import uuid
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from kindling.stores.registry import MlflowRegistry


@pytest.fixture
def registry(postgres_server: str, tmp_path: Path) -> Iterator[MlflowRegistry]:
    name = f"mlflow_{uuid.uuid4().hex[:8]}"
    with psycopg.connect(postgres_server, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
    host = psycopg.conninfo.conninfo_to_dict(postgres_server)["host"]
    yield MlflowRegistry(
        f"postgresql+psycopg://postgres:@/{name}?host={host}",
        f"file://{tmp_path}/objects",
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "config.json").write_text("{}")
    return tmp_path / "model"


def test_life_of_a_model(
    registry: MlflowRegistry, folder: Path, tmp_path: Path
) -> None:
    assert registry.champion() is None
    assert registry.candidate("r1") is None

    first = registry.register("r1", folder, {"epochs": 1}, {"f1": 0.5})
    assert registry.register("r1", folder, {"epochs": 1}, {"f1": 0.5}) == first
    assert registry.candidate("r1") == first
    assert registry.champion() is None, "registering must not promote"

    registry.promote(first.version)
    assert registry.champion() == first
    registry.log_metrics(first.version, {"golden_f1": 0.75})

    (folder / "config.json").write_text('{"retrained": true}')
    second = registry.register("r1", folder, {"epochs": 1}, {"f1": 0.6})
    assert second.version != first.version
    assert registry.candidate("r1") == second
    assert registry.champion() == first

    fetched = registry.download(second.version, tmp_path / "fetched")
    assert (fetched / "config.json").read_text() == '{"retrained": true}'


def test_a_provisional_model_serves_until_there_is_a_champion(
    registry: MlflowRegistry, folder: Path
) -> None:
    assert registry.serving() is None
    first = registry.register("r1", folder, {}, {})
    registry.serve_provisionally(first.version)
    serving = registry.serving()
    assert serving is not None and serving.provisional
    assert serving.version == first.version and registry.champion() is None

    registry.promote(first.version)
    assert registry.serving() == registry.champion() == first
