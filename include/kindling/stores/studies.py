"""Optuna's studies in PostgreSQL, in a schema of their own, for trials that several processes share."""

from collections.abc import Callable
from typing import TypeVar

import psycopg
from optuna.storages import RDBStorage

from kindling.stores.postgres import connect

#: Apart from the product's own schema: Optuna makes and migrates its tables itself.
SCHEMA = "optuna"
#: Any number but those of other locks; `begin` of two workers would make the tables twice.
_LOCK = 7_361_402

Made = TypeVar("Made")


def in_turn(url: str, begin: Callable[[RDBStorage], Made]) -> Made:
    """What `begin` makes of the storage, of one process at a time.

    Errors: those of `stores.postgres.connect`.
    """
    with connect(url) as connection:
        connection.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
        with psycopg.connect(url, autocommit=True) as own:
            own.execute(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}")
        return begin(_storage(url))


def _storage(url: str) -> RDBStorage:
    return RDBStorage(
        "postgresql+psycopg://",
        engine_kwargs={
            # The URL may be any that libpq reads; SQLAlchemy would read fewer.
            "creator": lambda: psycopg.connect(url, options=f"-c search_path={SCHEMA}"),
            "pool_pre_ping": True,
        },
    )
