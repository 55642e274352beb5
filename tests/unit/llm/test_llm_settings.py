"""Which language model there is: read from the environment, refused where it is wrong."""

import math

import pytest

from kindling import wiring
from kindling.catalog import STAGE_ENVIRONMENT
from kindling.errors import ConfigurationError
from kindling.llm.metered import MeteredLlm
from kindling.settings import LlmSettings, from_environment
from kindling_airflow.cluster import SECRETS

URL = {"KINDLING_LLM_URL": "http://host:8000/v1/", "KINDLING_LLM_MODEL": "m"}


def test_without_a_word_there_is_no_model_and_no_limit() -> None:
    settings = from_environment({})
    assert settings.llm == LlmSettings()
    assert settings.llm.max_tokens == math.inf
    assert wiring.llm(settings, "run") is None


def test_an_address_and_a_budget_are_read() -> None:
    found = from_environment({**URL, "KINDLING_LLM_MAX_TOKENS": "50000"}).llm
    assert (found.url, found.model) == ("http://host:8000/v1", "m")
    assert found.max_tokens == 50_000


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        ({"KINDLING_LLM_URL": "host:8000", "KINDLING_LLM_MODEL": "m"}, "http://"),
        ({"KINDLING_LLM_URL": "http://host/v1"}, "needs KINDLING_LLM_MODEL"),
        ({**URL, "KINDLING_LLM_MAX_COST": "-1"}, "KINDLING_LLM_MAX_COST='-1'"),
        ({**URL, "KINDLING_LLM_TIMEOUT_S": "soon"}, "KINDLING_LLM_TIMEOUT_S='soon'"),
    ],
)
def test_what_is_wrong_is_named(environment: dict[str, str], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        from_environment(environment)


def test_the_runs_own_budget_is_wired() -> None:
    environment = {**URL, "KINDLING_DATABASE_URL": "postgresql://nobody/none"}
    found = wiring.llm(from_environment(environment), "run")
    assert isinstance(found, MeteredLlm)
    assert found.name == "m@http://host:8000/v1"


def test_a_stage_is_handed_every_setting_and_the_key_is_a_secret() -> None:
    named = {one for one in STAGE_ENVIRONMENT if one.startswith("KINDLING_LLM_")}
    assert named == {f"KINDLING_LLM_{name.upper()}" for name in vars(LlmSettings())}
    assert SECRETS["KINDLING_LLM_API_KEY"] is True
