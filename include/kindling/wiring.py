"""The composition root: the only place that names adapters.

Adapters are made on first use and imported with it, so that a stage loads neither the client
library nor the server of a store that it does not touch.
"""

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

from kindling.errors import ConfigurationError
from kindling.settings import Settings
from kindling.stages.contract import Deps
from kindling.stores.postgres import PostgresRows


class _Deferred:
    """Stands for an adapter until one of its attributes is asked for."""

    def __init__(self, make: Callable[[], Any]) -> None:
        self._make = functools.cache(make)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._make(), name)


def rows(settings: Settings) -> PostgresRows:
    return PostgresRows(settings.required("database_url"))


def dependencies(settings: Settings) -> Deps:
    """Every port behind its adapter; a missing setting is an error where it is first needed."""
    deferred: Any = _Deferred
    return Deps(
        rows=deferred(lambda: rows(settings)),
        objects=deferred(lambda: _objects(settings)),
        keywords=deferred(lambda: _keywords(settings)),
        vectors=deferred(lambda: _pgvector(settings, "PgVectors")),
        alias=deferred(lambda: _pgvector(settings, "PgIndexAlias")),
        embeddings=deferred(lambda: _pgvector(settings, "PgEmbeddingCache")),
        registry=deferred(lambda: _registry(settings)),
        shop_url=settings.shop_url,
        chromium=_chromium(settings),
        text_model=Path(settings.text_model) if settings.text_model else None,
        threads=settings.threads,
    )


def _objects(settings: Settings) -> Any:
    from kindling.stores.objects import FsspecObjects

    return FsspecObjects(settings.required("objects_url"))


def _keywords(settings: Settings) -> Any:
    if settings.keywords == "elasticsearch":
        from kindling.stores.keywords_elasticsearch import ElasticsearchKeywords

        return ElasticsearchKeywords(settings.elasticsearch_url)
    from kindling.stores.keywords_tantivy import TantivyKeywords

    return TantivyKeywords(Path(settings.required("keywords_dir")))


def _pgvector(settings: Settings, adapter: str) -> Any:
    from kindling.stores import vectors_pgvector

    return getattr(vectors_pgvector, adapter)(settings.required("database_url"))


def _registry(settings: Settings) -> Any:
    from kindling.stores.registry import MlflowRegistry

    return MlflowRegistry(
        settings.required("mlflow_url"), settings.required("objects_url")
    )


def _chromium(settings: Settings) -> str | None:
    if settings.chromium and not Path(settings.chromium).is_file():
        raise ConfigurationError(
            f"KINDLING_CHROMIUM={settings.chromium!r} is not a file"
        )
    return settings.chromium or None
