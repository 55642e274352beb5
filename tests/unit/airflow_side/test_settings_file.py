"""`airflow_settings.yaml`: what is in it, what is refused, what Airflow is asked for."""

from pathlib import Path
from typing import Any

import pytest

from kindling_airflow.settings_file import SettingsError, apply, load

FULL = """
airflow:
  connections:
    - conn_id: objects
      conn_type: aws
      conn_login: me
      conn_password:
      conn_extra: {endpoint_url: "http://127.0.0.1:9"}
    - {conn_id: text, conn_type: http, conn_port: 80, conn_extra: '{"a": 1}'}
  pools:
    - {pool_name: heavy, pool_slot: 1, pool_description: one at a time}
  variables:
    - {variable_name: bar, variable_value: '{"f1": 0.8}'}
"""


def _written(tmp_path: Path, content: str) -> Path:
    path = tmp_path / "airflow_settings.yaml"
    path.write_text(content)
    return path


def _requests(tmp_path: Path, content: str) -> dict[str, list[dict[str, Any]]]:
    sent: dict[str, list[dict[str, Any]]] = {}

    def call(method: str, path: str, body: dict[str, Any]) -> dict[str, Any]:
        (action,) = body["actions"]
        assert (method, action["action"], action["action_on_existence"]) == (
            "PATCH",
            "create",
            "overwrite",
        )
        sent[path] = action["entities"]
        return {"create": {"success": ["x"], "errors": []}}

    apply(load(_written(tmp_path, content)), call)
    return sent


def test_everything_is_sent_in_one_request_a_kind(tmp_path: Path) -> None:
    assert _requests(tmp_path, FULL) == {
        "/api/v2/connections": [
            {
                "connection_id": "objects",
                "conn_type": "aws",
                "login": "me",
                "extra": '{"endpoint_url": "http://127.0.0.1:9"}',
            },
            {
                "connection_id": "text",
                "conn_type": "http",
                "port": 80,
                "extra": '{"a": 1}',
            },
        ],
        "/api/v2/pools": [
            {"name": "heavy", "slots": 1, "description": "one at a time"}
        ],
        "/api/v2/variables": [{"key": "bar", "value": '{"f1": 0.8}'}],
    }


def test_empty_kinds_send_nothing(tmp_path: Path) -> None:
    assert _requests(tmp_path, "airflow:\n  connections:\n  pools: []\n") == {}


def test_the_repositorys_own_file(repository: Path) -> None:
    settings = load(repository / "airflow_settings.yaml")
    assert {pool.pool_name: pool.pool_slot for pool in settings.pools} == {"heavy": 1}
    assert not [one.conn_id for one in settings.connections if one.conn_password]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("airflow: {pools: [{pool_name: heavy}]}", "airflow.pools.0.pool_slot"),
        (
            "airflow: {pools: [{pool_name: heavy, pool_slot: many}]}",
            "airflow.pools.0.pool_slot",
        ),
        (
            "airflow: {pools: [{pool_name: heavy, pool_slots: 1, pool_slot: 1}]}",
            "airflow.pools.0.pool_slots",
        ),
        (
            "airflow: {variables: [{variable_name: a, variable_value: {b: 1}}]}",
            "variables.0.variable_value",
        ),
        ("airflow: {connections: [{conn_id: a}]}", "airflow.connections.0.conn_type"),
        ("pools: []", "pools"),
        ("- 1", "file"),
        ("airflow: [", "airflow_settings.yaml"),
        ("", "file"),
    ],
)
def test_a_wrong_file_names_the_key(tmp_path: Path, content: str, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        load(_written(tmp_path, content))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="nowhere.yaml"):
        load(tmp_path / "nowhere.yaml")


def test_a_refused_entity_is_an_error(tmp_path: Path) -> None:
    settings = load(_written(tmp_path, FULL))
    with pytest.raises(SettingsError, match="connections.*no such type"):
        apply(
            settings,
            lambda *_: {
                "create": {"success": [], "errors": [{"error": "no such type"}]}
            },
        )
