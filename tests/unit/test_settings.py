"""Settings come from the environment once, and a wrong one is named."""

import pytest

from kindling.errors import ConfigurationError
from kindling.settings import from_environment


def test_empty_environment_has_defaults() -> None:
    settings = from_environment({})
    assert settings.keywords == "embedded"
    assert settings.threads >= 1


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        (
            {"KINDLING_KEYWORDS": "solr"},
            "KINDLING_KEYWORDS='solr'; allowed: embedded, elasticsearch",
        ),
        ({"KINDLING_KEYWORDS": "elasticsearch"}, "needs KINDLING_ELASTICSEARCH_URL"),
        ({"KINDLING_OBJECTS_URL": "/var/objects"}, "allowed: file:///… or s3://…"),
        ({"KINDLING_THREADS": "two"}, "KINDLING_THREADS='two'"),
        ({"KINDLING_DATA": "/nonexistent"}, "is not a folder"),
    ],
)
def test_wrong_setting_is_named(environment: dict[str, str], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        from_environment(environment)


def test_missing_setting_is_named_where_it_is_needed() -> None:
    with pytest.raises(ConfigurationError, match="KINDLING_DATABASE_URL is not set"):
        from_environment({}).required("database_url")
