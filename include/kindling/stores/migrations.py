"""Applies `sql/migrations` in order, once each, forward only."""

import hashlib
from pathlib import Path

from psycopg import sql

from kindling.errors import ConfigurationError
from kindling.stores.postgres import SCHEMA, connect

LOCK_TIMEOUT = "5s"
STATEMENT_TIMEOUT = "5min"


def migrate(url: str, folder: Path) -> list[str]:
    """Apply what is missing; returns the names applied now.

    Each file runs in a transaction of its own under lock and statement timeouts. An applied file
    that has changed since is a ConfigurationError: history is added to, not rewritten.
    """
    files = sorted(folder.glob("[0-9][0-9][0-9][0-9]_*.sql"))
    if not files:
        raise ConfigurationError(
            f"{folder}: no migrations (files named NNNN_name.sql) found"
        )
    applied = []
    with connect(url, autocommit=True) as connection:
        # One migrator at a time: a second waits here, then finds nothing left to do.
        connection.execute(
            "SELECT pg_advisory_lock(hashtextextended('kindling/migrate', 0))"
        )
        connection.execute(
            sql.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(sql.Identifier(SCHEMA))
        )
        connection.execute(
            "CREATE TABLE IF NOT EXISTS schema_migration "
            "(name text PRIMARY KEY, sha256 text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())"
        )
        known = dict(
            connection.execute("SELECT name, sha256 FROM schema_migration").fetchall()
        )
        for file in files:
            content = file.read_text(encoding="utf-8")
            sha256 = hashlib.sha256(content.encode()).hexdigest()
            if file.name in known:
                if known[file.name] != sha256:
                    raise ConfigurationError(
                        f"{file}: changed after it was applied; add a new migration instead"
                    )
                continue
            with connection.transaction():
                connection.execute(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'")
                connection.execute(
                    f"SET LOCAL statement_timeout = '{STATEMENT_TIMEOUT}'"
                )
                connection.execute(content)
                connection.execute(
                    "INSERT INTO schema_migration (name, sha256) VALUES (%s, %s)",
                    (file.name, sha256),
                )
            applied.append(file.name)
    return applied
