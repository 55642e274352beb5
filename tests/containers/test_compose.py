"""The compose file: no default password, everything in order, and `demo` really answers."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from .conftest import DOCKER, Docker


@pytest.fixture
def made_env(root: Path, tmp_path: Path) -> dict[str, str]:
    """What `make-env` writes, beside a copy of its example."""
    (tmp_path / "containers/compose").mkdir(parents=True)
    for name in (".env.example", "containers/compose/make-env"):
        shutil.copy(root / name, tmp_path / name)
    script = tmp_path / "containers/compose/make-env"
    subprocess.run(["sh", script], check=True)
    first = (tmp_path / ".env").read_text()
    subprocess.run(["sh", script], check=True)
    assert (tmp_path / ".env").read_text() == first, "kept: data hang on it"
    assert (tmp_path / ".env").stat().st_mode & 0o077 == 0
    lines = [line for line in first.splitlines() if line and line[0] != "#"]
    return dict(line.split("=", 1) for line in lines)


def test_every_secret_is_made_and_none_twice(made_env: dict[str, str]) -> None:
    secrets = [
        value
        for name, value in made_env.items()
        if name.endswith(("PASSWORD", "KEY", "SECRET", "JWT", "FERNET"))
    ]
    assert len(secrets) == 7 == len(set(secrets))
    assert all(len(value) >= 40 for value in secrets)


def test_without_an_env_it_says_how_to_make_one(root: Path, tmp_path: Path) -> None:
    nothing = tmp_path / "empty"
    nothing.touch()
    done = subprocess.run(
        [DOCKER, "compose", "--env-file", str(nothing), "--profile", "demo", "config"],
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    assert "run sh containers/compose/make-env" in done.stderr


@pytest.mark.parametrize("profile", ["stores", "demo", "full"])
def test_each_profile_is_whole(
    docker: Docker, made_env: dict[str, str], profile: str
) -> None:
    env = {**made_env, "COMPOSE_PROFILES": profile}
    services = json.loads(docker("compose", "config", "--format", "json", env=env))
    names = set(services["services"])
    expected = {
        "stores": {"postgres", "elasticsearch", "s3"},
        "demo": {"shop", "collect", "learn", "inference", "front"},
        "full": {"airflow-api", "airflow-scheduler", "mlflow", "prometheus", "front"},
    }
    assert expected[profile] <= names
    for service in services["services"].values():
        for needed, how in (service.get("depends_on") or {}).items():
            assert needed in names or not how["required"]


def test_nothing_listens_beyond_this_machine(root: Path) -> None:
    services = yaml.safe_load((root / "docker-compose.yaml").read_text())["services"]
    ports = [port for one in services.values() for port in one.get("ports", [])]
    assert ports and all(port.startswith("127.0.0.1:") for port in ports)
