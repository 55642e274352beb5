"""`airflow_settings.yaml` without the Astro CLI: read, checked, applied over Airflow's REST API."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

#: `(method, path, body) -> decoded answer`, authenticated, raising on an HTTP error.
Call = Callable[[str, str, dict[str, Any]], dict[str, Any]]


class SettingsError(Exception):
    """The file cannot be applied; the message names file and key, or what Airflow refused."""


class _Entry(BaseModel):
    # Astro ignores unknown keys in silence, so that a typing error goes unseen until a task waits for ever.
    model_config = ConfigDict(frozen=True, extra="forbid")


class Connection(_Entry):
    conn_id: str = Field(min_length=1)
    conn_type: str = Field(min_length=1)
    conn_host: str | None = None
    conn_schema: str | None = None
    conn_login: str | None = None
    conn_password: str | None = None
    conn_port: int | None = None
    conn_extra: dict[str, Any] | str | None = None

    def body(self) -> dict[str, Any]:
        """The connection as the REST API takes it."""
        extra = (
            json.dumps(self.conn_extra)
            if isinstance(self.conn_extra, dict)
            else self.conn_extra
        )
        fields = {
            "host": self.conn_host,
            "schema": self.conn_schema,
            "login": self.conn_login,
            "password": self.conn_password,
            "port": self.conn_port,
            "extra": extra,
        }
        given = {key: value for key, value in fields.items() if value is not None}
        return {"connection_id": self.conn_id, "conn_type": self.conn_type, **given}


class Pool(_Entry):
    pool_name: str = Field(min_length=1)
    pool_slot: int = Field(ge=0)
    pool_description: str = ""

    def body(self) -> dict[str, Any]:
        """The pool as the REST API takes it."""
        return {
            "name": self.pool_name,
            "slots": self.pool_slot,
            "description": self.pool_description,
        }


class Variable(_Entry):
    variable_name: str = Field(min_length=1)
    #: A string, as in Astro's own reader: JSON stands in quotes.
    variable_value: str

    def body(self) -> dict[str, Any]:
        """The variable as the REST API takes it."""
        return {"key": self.variable_name, "value": self.variable_value}


class AirflowSettings(_Entry):
    connections: tuple[Connection, ...] = ()
    pools: tuple[Pool, ...] = ()
    variables: tuple[Variable, ...] = ()


class _File(_Entry):
    airflow: AirflowSettings


def load(path: Path) -> AirflowSettings:
    """The settings in the file; SettingsError names the key that is wrong."""
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        return _File.model_validate(_without_empty(content)).airflow
    except (OSError, yaml.YAMLError) as error:
        raise SettingsError(f"{path}: {error}") from error
    except ValidationError as error:
        wrong = [
            f"{'.'.join(map(str, one['loc'])) or 'file'}: {one['msg']}"
            for one in error.errors()
        ]
        raise SettingsError(f"{path}: {'; '.join(wrong)}") from None


def apply(settings: AirflowSettings, call: Call) -> None:
    """Create or overwrite everything in the file: one request a kind. SettingsError on a refusal."""
    kinds: Mapping[str, tuple[Connection | Pool | Variable, ...]] = {
        "connections": settings.connections,
        "pools": settings.pools,
        "variables": settings.variables,
    }
    for kind, entries in kinds.items():
        if not entries:
            continue
        bodies = [entry.body() for entry in entries]
        action = {
            "action": "create",
            "action_on_existence": "overwrite",
            "entities": bodies,
        }
        answer = call("PATCH", f"/api/v2/{kind}", {"actions": [action]})
        # A bulk request answers 200 though an entity in it was refused.
        if refused := (answer.get("create") or {}).get("errors"):
            raise SettingsError(
                f"Airflow refused {kind} of airflow_settings.yaml: {refused}"
            )


def _without_empty(content: Any) -> Any:
    # Astro's template leaves unused keys without a value, which YAML reads as null.
    if isinstance(content, dict):
        return {
            key: _without_empty(value)
            for key, value in content.items()
            if value is not None
        }
    return (
        [_without_empty(one) for one in content]
        if isinstance(content, list)
        else content
    )
