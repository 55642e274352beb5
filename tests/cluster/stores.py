"""The stores that pods reach: containers, published on the address that pods know this machine by."""

import contextlib
import functools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import httpx
import psycopg

from .rig import BUCKET, PASSWORD, ROOT, SHOP, docker, needed, until


@dataclass(frozen=True)
class Store:
    """A container of a store, published on the address that pods know this machine by."""

    image: str
    port: int
    environment: Mapping[str, str]
    command: Sequence[str] = ()
    entrypoint: str = ""
    volume: str = ""


STORES = {
    "postgres": Store(
        "pgvector/pgvector:pg17",
        5432,
        {
            "POSTGRES_DB": "kindling",
            "POSTGRES_USER": "kindling",
            "POSTGRES_PASSWORD": PASSWORD,
        },
        volume=f"{ROOT}/containers/compose/databases.sql:/docker-entrypoint-initdb.d/databases.sql:ro",
    ),
    "s3": Store(
        "versity/versitygw:latest",
        7070,
        {"ROOT_ACCESS_KEY": "key", "ROOT_SECRET_KEY": PASSWORD},
        (
            "-c",
            f"mkdir -p /data/{BUCKET} && exec versitygw --port :7070 posix /data",
        ),
        "sh",
    ),
    "elasticsearch": Store(
        "elasticsearch:9.5.3",
        9200,
        {
            "discovery.type": "single-node",
            "xpack.security.enabled": "false",
            "ES_JAVA_OPTS": "-Xms512m -Xmx512m",
        },
    ),
    "shop": Store(SHOP, 8080, {"CATALOGUE_KIND": "bundled-smoke"}),
}


@contextlib.contextmanager
def stores(names: Sequence[str]) -> Iterator[dict[str, str]]:
    """`host:port` of each store, once its port is open; all are removed at the end."""
    host, started = needed("KINDLING_TEST_HOST"), []
    try:
        addresses = {}
        for name in names:
            store = STORES[name]
            options = [
                option
                for key, value in store.environment.items()
                for option in ("-e", f"{key}={value}")
            ]
            if store.volume:
                options += ["-v", store.volume]
            if store.entrypoint:
                options += ["--entrypoint", store.entrypoint]
            publish = f"{host}::{store.port}"
            started.append(
                docker(
                    *("run", "-d", "--rm", "-p", publish),
                    *(*options, store.image, *store.command),
                )
            )
            addresses[name] = docker("port", started[-1], str(store.port)).split()[0]
        for name, address in addresses.items():
            look = functools.partial(_answers, name, address)
            until(f"{name} at {address}", look, 600, 1.0)
        yield addresses
    finally:
        for container in started:
            docker("kill", container)


def _answers(name: str, address: str) -> bool | None:
    """Whether it does what it is there for: a port is open long before that."""
    try:
        if name == "postgres":
            # Its own first start makes the databases one by one, `airflow` last.
            psycopg.connect(database(address, "airflow"), connect_timeout=2).close()
        else:
            path = {"elasticsearch": "/_cluster/health", "shop": "/healthz"}
            url = f"http://{address}{path.get(name, '/')}"
            answer = httpx.get(url, timeout=2, trust_env=False)
            if name != "s3" and answer.is_error:
                return None
    except (psycopg.OperationalError, httpx.TransportError):
        return None
    return True


def database(address: str, name: str, driver: str = "") -> str:
    """URL of a database of the PostgreSQL there."""
    return f"postgresql{driver}://kindling:{PASSWORD}@{address}/{name}"
