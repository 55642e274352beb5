"""Optuna's studies in PostgreSQL, in a schema of their own, for trials that several processes share."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import psycopg
from optuna.exceptions import StorageInternalError
from optuna.storages import RDBStorage
from sqlalchemy.exc import OperationalError

from kindling.errors import TransientError
from kindling.stores.postgres import connect

#: Apart from the product's own schema: Optuna makes and migrates its tables itself.
SCHEMA = "optuna"
#: Any number but those of other locks; `begin` of two workers would make the tables twice.
_LOCK = 7_361_402

_AWAY = (OperationalError, psycopg.OperationalError)
#: What Optuna 5.0 raises instead; the second by mistake, where a trial cannot be told to end.
_COVERED_BY = (StorageInternalError, UnboundLocalError)

Made = TypeVar("Made")


def in_turn(url: str, begin: Callable[[RDBStorage], Made]) -> Made:
    """What `begin` makes of the storage, of one process at a time.

    Errors: those of `stores.postgres.connect`.
    """
    with connect(url, autocommit=True) as connection:
        connection.execute("SELECT pg_advisory_lock(%s)", (_LOCK,))
        connection.execute(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}")
        return begin(_storage(url))


@contextmanager
def outages_named() -> Iterator[None]:
    """What a study raises while its database is away becomes a TransientError."""
    try:
        yield
    except (*_AWAY, *_COVERED_BY) as error:
        away = next((one for one in _behind(error) if isinstance(one, _AWAY)), None)
        if away is None:
            raise
        raise TransientError(
            f"the search's study in Postgres cannot be reached ({away}); what has ended is kept"
        ) from error


def _behind(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _storage(url: str) -> RDBStorage:
    return RDBStorage(
        "postgresql+psycopg://",
        engine_kwargs={
            # The URL may be any that libpq reads; SQLAlchemy would read fewer.
            "creator": lambda: psycopg.connect(url, options=f"-c search_path={SCHEMA}"),
            "pool_pre_ping": True,
        },
    )
