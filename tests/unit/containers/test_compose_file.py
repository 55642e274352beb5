"""What would keep a service of the compose file from starting, found without Docker."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from kindling.serving.server import rules_for
from kindling.settings import from_environment

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def services() -> dict[str, Any]:
    file = ROOT / "docker-compose.yaml"
    found: dict[str, Any] = yaml.safe_load(file.read_text())["services"]
    return found


def test_the_endpoint_listens_to_its_network_without_keys(
    services: dict[str, Any],
) -> None:
    environment = services["inference"]["environment"]
    given = {
        name: value
        for name, value in environment.items()
        if name.startswith("KINDLING_API_")
    }
    assert rules_for(from_environment(given), "0.0.0.0").keys is None


def test_airflow_owns_the_folders_that_its_volumes_cover(
    services: dict[str, Any],
) -> None:
    """A fresh volume takes the owner of the folder that it covers, or is root's."""
    dockerfile = (ROOT / "containers/airflow/Dockerfile").read_text()
    (made,) = [line for line in dockerfile.splitlines() if "install -d -o" in line]
    targets = [one.split(":")[1] for one in services["airflow-init"]["volumes"]]
    assert targets and set(targets) <= set(made.split())
