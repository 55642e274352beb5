"""The environment of every process that the supervisor starts, and the secrets that they share."""

import base64
import importlib.util
import json
import os
import secrets as randomness
import shlex
import shutil
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote

from kindling.catalog import STAGE_ENVIRONMENT
from kindling_local.errors import SupervisorError
from kindling_local.layout import HOST, Layout

ADMIN = "admin"
CHROMIUM_NAMES = (
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
)

#: Bucket (`s3://bucket/prefix`) that tasks' logs are sent to; not set: they stay on this machine.
LOGS_URL = "KINDLING_LOGS_URL"

#: Libraries that call home, draw bars into logs, or start helpers nobody asked for.
QUIET = {
    "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    "GIT_PYTHON_REFRESH": "quiet",
    "NO_COLOR": "1",
    "PYTHONUNBUFFERED": "1",
}

#: Airflow on a laptop: four tasks at most (32 workers would be forked by default, 1.5 GB), one API
#: worker, and clocks slow enough to leave the machine alone while nothing happens.
AIRFLOW_LAPTOP = {
    "CORE__EXECUTOR": "LocalExecutor",
    "CORE__PARALLELISM": "4",
    "CORE__LOAD_EXAMPLES": "False",
    "API__WORKERS": "1",
    "DAG_PROCESSOR__REFRESH_INTERVAL": "15",
    "DAG_PROCESSOR__PARSING_PROCESSES": "1",
    # A changed file is parsed at once whatever this says; it only slows the parsing of unchanged ones.
    "DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "300",
    "DAG_PROCESSOR__PRINT_STATS_INTERVAL": "300",
    "DAG_PROCESSOR__BUNDLE_REFRESH_CHECK_INTERVAL": "15",
    # An idle scheduler's rounds are most of what an idle Airflow costs; a task waits half a second more.
    "SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "2",
    "SCHEDULER__TRIGGER_TIMEOUT_CHECK_INTERVAL": "60",
    "SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "30",
    # Counted for a metrics server that is not there.
    "SCHEDULER__POOL_METRICS_INTERVAL": "300",
    "SCHEDULER__TI_METRICS_INTERVAL": "300",
    "SCHEDULER__DAGRUN_METRICS_INTERVAL": "300",
    # A stage that takes every core makes the API server slow, and a dead one is back within a minute or
    # two (the watcher restarts it): a task has to outlast both, or its stage's work is thrown away.
    "WORKERS__EXECUTION_API_TIMEOUT": "60",
    "WORKERS__EXECUTION_API_RETRIES": "8",
    "WORKERS__MAX_FAILED_HEARTBEATS": "10",
    "SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "600",
}


def read_or_make_secrets(layout: Layout) -> dict[str, str]:
    """This installation's own secrets, made once and readable by its owner only."""
    if not layout.secrets.exists():
        made = {
            "jwt": randomness.token_urlsafe(64),
            "api": randomness.token_urlsafe(32),
            "fernet": base64.urlsafe_b64encode(os.urandom(32)).decode(),
            "admin_password": randomness.token_urlsafe(12),
        }
        _write_private(layout.secrets, json.dumps(made, indent=2))
    kept: dict[str, str] = json.loads(layout.secrets.read_text(encoding="utf-8"))
    # Airflow's simple auth manager keeps a password that stands in its file and invents the others.
    _write_private(layout.passwords, json.dumps({ADMIN: kept["admin_password"]}))
    return kept


def in_pods(outer: Mapping[str, str] = os.environ) -> bool:
    """Whether stages run on a cluster, away from this machine's loopback and disk."""
    return outer.get("KINDLING_RUNTIME") == "kubernetes"


def find_chromium(environment: Mapping[str, str] = os.environ) -> str:
    """Path of a Chromium: the one named, the system's, or Playwright's own; empty if there is none.

    `KINDLING_CHROMIUM=none` does without one that is there.
    """
    if named := environment.get("KINDLING_CHROMIUM"):
        return "" if named == "none" else str(Path(named).resolve())
    for name in CHROMIUM_NAMES:
        if path := shutil.which(name, path=environment.get("PATH")):
            return path
    cache = Path(
        environment.get("PLAYWRIGHT_BROWSERS_PATH")
        or Path.home() / ".cache" / "ms-playwright"
    )
    found = sorted(
        path
        for pattern in (
            "chromium-*/chrome-linux*/chrome",
            "chromium-*/chrome-mac*/*/*/*/Chromium",
        )
        for path in cache.glob(pattern)
    )
    return str(found[-1]) if found else ""


def find_lightpanda(environment: Mapping[str, str] = os.environ) -> str:
    """Path of a Lightpanda: the one named, that of its wheel in this environment, or one on the path.

    Empty if there is none, or with `KINDLING_LIGHTPANDA=none`.
    """
    if named := environment.get("KINDLING_LIGHTPANDA"):
        return "" if named == "none" else str(Path(named).resolve())
    wheel = importlib.util.find_spec("lightpanda")
    if wheel is not None and wheel.origin is not None:
        binary = Path(wheel.origin).parent / "lightpanda"
        if binary.is_file():
            return str(binary)
    return shutil.which("lightpanda", path=environment.get("PATH")) or ""


def product_environment(
    layout: Layout, socket_dir: Path, recipe: str, outer: Mapping[str, str] = os.environ
) -> dict[str, str]:
    """What a stage, and a person at the prompt, needs to work on this installation.

    A store that the caller's environment names (an Elasticsearch, an S3 bucket, another PostgreSQL)
    wins over the embedded one. Shop, MLflow and the keyword folder are this installation's, but where
    stages run in pods, which reach none of these: there all of them are the caller's.
    """
    own = {
        "KINDLING_DATABASE_URL": database_url(socket_dir, "kindling"),
        # Not `as_uri()`: fsspec takes the path as it is written, percent signs and all.
        "KINDLING_OBJECTS_URL": f"file://{layout.objects}",
        "KINDLING_KEYWORDS": "embedded",
        "KINDLING_THREADS": str(
            len(os.sched_getaffinity(0))
            if hasattr(os, "sched_getaffinity")
            else os.cpu_count()
        ),
    }
    fixed = {
        "KINDLING_CHROMIUM": find_chromium(outer),
        "KINDLING_LIGHTPANDA": find_lightpanda(outer),
        "KINDLING_SHOP_URL": layout.url("shop"),
        "KINDLING_KEYWORDS_DIR": str(layout.keywords),
        "KINDLING_MLFLOW_URL": database_url(socket_dir, "mlflow", "+psycopg"),
        "KINDLING_RECIPE": recipe,
    }
    chosen = {name: outer[name] for name in STAGE_ENVIRONMENT if outer.get(name)}
    if in_pods(outer):
        fixed |= chosen
    if weights := chosen.get("KINDLING_TEXT_MODEL"):
        # Stages stand in folders of their own, so a path has to be a whole one.
        chosen["KINDLING_TEXT_MODEL"] = str(Path(weights).resolve())
    # Airflow's tasks talk to its API server, and stages to the shop, past any proxy.
    past_proxy = {
        name: ",".join(filter(None, (outer.get(name), HOST, "localhost")))
        for name in ("NO_PROXY", "no_proxy")
    }
    return {
        **_clean(outer),
        **own,
        **chosen,
        **fixed,
        **QUIET,
        **past_proxy,
        "PYTHONPATH": str(layout.root / "include"),
    }


def airflow_environment(
    layout: Layout,
    socket_dir: Path,
    secrets: Mapping[str, str],
    product: Mapping[str, str],
) -> dict[str, str]:
    """The product's environment, which tasks inherit, and Airflow's own settings."""
    url = layout.url("airflow")
    database = database_url(socket_dir, "airflow", "+psycopg")
    settings = AIRFLOW_LAPTOP | {
        "CORE__DAGS_FOLDER": str(layout.root / "dags"),
        "CORE__PLUGINS_FOLDER": str(layout.root / "plugins"),
        "CORE__FERNET_KEY": secrets["fernet"],
        "CORE__SIMPLE_AUTH_MANAGER_USERS": f"{ADMIN}:admin",
        "CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(layout.passwords),
        "CORE__EXECUTION_API_SERVER_URL": f"{url}/execution/",
        "DATABASE__SQL_ALCHEMY_CONN": database,
        # psycopg does both; left to itself Airflow asks for asyncpg, one more driver to install.
        "DATABASE__SQL_ALCHEMY_CONN_ASYNC": database,
        "API__HOST": HOST,
        "API__PORT": str(layout.ports["airflow"]),
        "API__BASE_URL": url,
        "API__SECRET_KEY": secrets["api"],
        "API_AUTH__JWT_SECRET": secrets["jwt"],
        "LOGGING__BASE_LOG_FOLDER": str(layout.task_logs),
    }
    return {
        **product,
        **remote_logs(product.get(LOGS_URL, "")),
        "AIRFLOW_HOME": str(layout.airflow),
        # Where the page "Data health" sends people: the tracking URL is a database's here.
        "KINDLING_MLFLOW_UI": layout.url("mlflow"),
        **{f"AIRFLOW__{key}": value for key, value in settings.items()},
    }


def write_for_a_shell(layout: Layout, product: Mapping[str, str]) -> None:
    """The stage's environment as a file, so that a person can run one stage: `. var/environment.sh`."""
    names = [*STAGE_ENVIRONMENT, "KINDLING_RECIPE", "PYTHONPATH"]
    lines = [
        f"export {name}={shlex.quote(product[name])}"
        for name in names
        if product.get(name)
    ]
    _write_private(layout.environment, "\n".join(lines) + "\n")


def remote_logs(url: str) -> dict[str, str]:
    """Settings that send tasks' logs to a bucket as each ends; none for an empty URL.

    Credentials and endpoint are those of the object store (AWS_ACCESS_KEY_ID and so on).
    """
    if not url:
        return {}
    if not url.startswith("s3://") or not url.removeprefix("s3://").strip("/"):
        raise SupervisorError(
            f"{LOGS_URL}={url!r}; wanted: s3://bucket/prefix", exit_code=2
        )
    return {
        "AIRFLOW__LOGGING__REMOTE_LOGGING": "True",
        "AIRFLOW__LOGGING__REMOTE_BASE_LOG_FOLDER": url.rstrip("/"),
        "AIRFLOW__LOGGING__REMOTE_LOG_CONN_ID": "kindling_logs",
        # Empty: boto reads the environment, where the stages' own credentials are.
        "AIRFLOW_CONN_KINDLING_LOGS": json.dumps({"conn_type": "aws"}),
    }


def database_url(socket_dir: Path, name: str, driver: str = "") -> str:
    """URL of a database: for libpq, or with a driver for SQLAlchemy."""
    # A folder's name may hold what a URL gives a meaning to: a space, `&`, `%`, `+`.
    return f"postgresql{driver}://postgres:@/{name}?host={quote(str(socket_dir))}"


def _clean(outer: Mapping[str, str]) -> dict[str, str]:
    # Settings of another Airflow or MLflow in the caller's shell would send ours to its database. The data
    # folder is the shop's alone, and may be a path that holds only where the caller stands. Shards are
    # for many machines: here they would share this one.
    left_out = {"KINDLING_DATA"} | (set() if in_pods(outer) else {"KINDLING_SHARDS"})
    return {
        name: value
        for name, value in outer.items()
        if not name.startswith(("AIRFLOW_", "MLFLOW_")) and name not in left_out
    }


def _write_private(path: Path, content: str) -> None:
    with os.fdopen(
        os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600),
        "w",
        encoding="utf-8",
    ) as file:
        file.write(content)
    path.chmod(0o600)
