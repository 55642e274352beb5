"""What services are given, and what of the caller's shell must not reach them."""

import json
import stat
from pathlib import Path

import pytest

from kindling.catalog import STAGE_ENVIRONMENT
from kindling_local import environment, layout
from kindling_local.errors import SupervisorError
from kindling_local.layout import Layout

SOCKETS = Path("/sockets")


def product(layout: Layout, **outer: str) -> dict[str, str]:
    return environment.product_environment(
        layout, SOCKETS, "demo", {"PATH": "/usr/bin", **outer}
    )


def test_every_stage_variable_has_a_value_but_the_optional(layout: Layout) -> None:
    optional = {
        "KINDLING_ELASTICSEARCH_URL",
        "KINDLING_TEXT_MODEL",
        "KINDLING_CHROMIUM",
        "KINDLING_LIGHTPANDA",
        # No language model is a choice too.
        *(name for name in STAGE_ENVIRONMENT if name.startswith("KINDLING_LLM_")),
    }
    assert {
        name for name in STAGE_ENVIRONMENT if not product(layout).get(name)
    } <= optional


def test_stores_that_the_caller_names_win(layout: Layout) -> None:
    named = {
        "KINDLING_DATABASE_URL": "postgresql://other/db",
        "KINDLING_KEYWORDS": "elasticsearch",
        "KINDLING_ELASTICSEARCH_URL": "http://127.0.0.1:9200",
        "KINDLING_OBJECTS_URL": "s3://bucket/x",
    }
    assert named.items() <= product(layout, **named).items()


def test_shop_and_keyword_folder_are_always_our_own(layout: Layout) -> None:
    given = product(
        layout,
        KINDLING_SHOP_URL="http://shop.example",
        KINDLING_KEYWORDS_DIR="/elsewhere",
    )
    assert given["KINDLING_SHOP_URL"] == "http://127.0.0.1:8090"
    assert given["KINDLING_KEYWORDS_DIR"] == str(layout.keywords)


def test_another_airflows_settings_stay_outside(layout: Layout) -> None:
    outer = {
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": "sqlite:////theirs.db",
        "AIRFLOW_HOME": "/theirs",
        "MLFLOW_TRACKING_URI": "http://theirs",
    }
    secrets = environment.read_or_make_secrets(layout)
    made = environment.airflow_environment(
        layout, SOCKETS, secrets, product(layout, **outer)
    )
    assert not [value for value in made.values() if "theirs" in value]
    assert (
        made["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"]
        == "postgresql+psycopg://postgres:@/airflow?host=/sockets"
    )
    assert made["AIRFLOW_HOME"] == str(layout.airflow)


def test_loopback_goes_past_the_callers_proxy(layout: Layout) -> None:
    given = product(layout, HTTP_PROXY="http://proxy:3128", NO_PROXY="intranet")
    assert given["NO_PROXY"].split(",") == ["intranet", "127.0.0.1", "localhost"]


def test_paths_hold_wherever_a_process_stands(layout: Layout) -> None:
    given = product(layout, KINDLING_TEXT_MODEL="weights", KINDLING_DATA="../data")
    assert given["KINDLING_TEXT_MODEL"] == str(Path("weights").resolve())
    assert "KINDLING_DATA" not in given


def test_secrets_are_private_and_stay_the_same(layout: Layout) -> None:
    first = environment.read_or_make_secrets(layout)
    assert environment.read_or_make_secrets(layout) == first
    for path in (layout.secrets, layout.passwords):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert json.loads(layout.passwords.read_text()) == {
        "admin": first["admin_password"]
    }
    assert len(set(first.values())) == len(first)


def test_chromium_named_found_or_absent(tmp_path: Path) -> None:
    assert (
        environment.find_chromium({"KINDLING_CHROMIUM": "/opt/x", "PATH": ""})
        == "/opt/x"
    )
    assert environment.find_chromium({"KINDLING_CHROMIUM": "none"}) == ""
    empty = {"PATH": str(tmp_path), "PLAYWRIGHT_BROWSERS_PATH": str(tmp_path)}
    assert environment.find_chromium(empty) == ""
    own = tmp_path / "chromium-1200" / "chrome-linux" / "chrome"
    own.parent.mkdir(parents=True)
    own.touch()
    assert environment.find_chromium(empty) == str(own)
    system = tmp_path / "chromium"
    system.touch(mode=0o755)
    assert environment.find_chromium(empty) == str(system)


def test_lightpanda_named_found_or_absent(tmp_path: Path) -> None:
    named = {"KINDLING_LIGHTPANDA": "/opt/x", "PATH": ""}
    assert environment.find_lightpanda(named) == "/opt/x"
    path = {"PATH": str(tmp_path)}
    assert environment.find_lightpanda(path | {"KINDLING_LIGHTPANDA": "none"}) == ""
    own = tmp_path / "lightpanda"
    own.touch(mode=0o755)
    assert environment.find_lightpanda(path).endswith("lightpanda")


@pytest.mark.parametrize("value", ["0", "65536", "http", "-1"])
def test_port_that_is_none(value: str) -> None:
    with pytest.raises(
        SupervisorError, match=r"KINDLING_PORT_SHOP=.*a port from 1 to 65535"
    ) as caught:
        layout.from_environment({"KINDLING_PORT_SHOP": value})
    assert caught.value.exit_code == 2


def test_one_port_for_two_services(tmp_path: Path) -> None:
    same = layout.from_environment(
        {"KINDLING_VAR": str(tmp_path), "KINDLING_PORT_SHOP": "8080"}
    )
    with pytest.raises(SupervisorError, match="two services want one port"):
        layout.require_free_ports(same, ("airflow", "shop"))


def test_too_little_room_is_said_before_anything_starts(layout: Layout) -> None:
    from kindling_local.layout import require_free_space

    with pytest.raises(
        SupervisorError, match=r"GiB free, 1048576 GiB are wanted.*KINDLING_VAR"
    ):
        require_free_space(layout, min_gib=2**20)


def test_var_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SupervisorError, match="KINDLING_VAR names another folder"):
        layout.from_environment({"KINDLING_VAR": str(tmp_path / "file" / "var")}).make()


def test_where_stages_run_in_pods_the_callers_shop_and_mlflow_are_theirs(
    layout: Layout, tmp_path: Path
) -> None:
    outer = {
        "PATH": "/usr/bin",
        "KINDLING_SHOP_URL": "https://shop.example",
        "KINDLING_MLFLOW_URL": "postgresql+psycopg://db.example/mlflow",
        "KINDLING_SHARDS": "3",
    }
    here = environment.product_environment(layout, tmp_path, "smoke", outer)
    assert here["KINDLING_SHOP_URL"] == layout.url("shop")
    assert "KINDLING_SHARDS" not in here, "shards would share this one machine"

    outer["KINDLING_RUNTIME"] = "kubernetes"
    there = environment.product_environment(layout, tmp_path, "smoke", outer)
    assert {name: there[name] for name in outer} == outer
