"""Who may ask what, and how often: keys in a file that holds only their hashes.

A file and not a table, because answers are given while Postgres is away. The secrets are 256
random bits, so one round of SHA-256 is enough: there is no dictionary to go through.
"""

import hashlib
import hmac
import json
import logging
import os
import secrets
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from kindling.errors import ConfigurationError

SCOPES = ("analyze", "search", "feedback", "observe", "train")
PREFIX = "kindling"
log = logging.getLogger(__name__)

#: Seconds after which a change of the file is noticed.
LOOK_EVERY_S = 2.0


@dataclass(frozen=True)
class Key:
    """One line of the file."""

    key_id: str
    sha256: str
    scopes: tuple[str, ...]
    #: Requests a minute; a minute's worth may come at once.
    per_minute: int
    note: str = ""

    def __post_init__(self) -> None:
        unknown = set(self.scopes) - set(SCOPES)
        if unknown or not self.scopes or self.per_minute < 1:
            raise ConfigurationError(
                f"key {self.key_id}: scopes {list(self.scopes)}, {self.per_minute} a "
                f"minute; scopes are some of {', '.join(SCOPES)}, limits start at 1"
            )


def make_key(path: Path, scopes: Iterable[str], per_minute: int, note: str = "") -> str:
    """Add a key to the file and return it; it is in no other place afterwards."""
    key_id, secret = secrets.token_hex(4), secrets.token_urlsafe(32)
    key = Key(key_id, _hash(secret), tuple(scopes), per_minute, note)
    path.parent.mkdir(parents=True, exist_ok=True)
    line = json.dumps(asdict(key)) + "\n"
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    with os.fdopen(descriptor, "a", encoding="utf-8") as file:
        file.write(line)
    return f"{PREFIX}_{key_id}_{secret}"


class Allowance:
    """A token bucket: `per_minute` requests, of which a minute's worth may come at once."""

    def __init__(
        self, per_minute: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._rate, self._most, self._clock = per_minute / 60, float(per_minute), clock
        self._left, self._at = self._most, clock()

    def take(self, n: int = 1) -> float:
        """Take `n`; returns 0, or the seconds after which they can be taken."""
        now = self._clock()
        self._left = min(self._most, self._left + (now - self._at) * self._rate)
        self._at = now
        if self._left >= n:
            self._left -= n
            return 0.0
        return (n - self._left) / self._rate


class KeyRing:
    """The keys of a file, read anew when it changes: a key that is taken out is refused soon."""

    def __init__(self, path: Path, clock: Callable[[], float] = time.monotonic) -> None:
        """ConfigurationError where the file is missing, empty or damaged."""
        self._path, self._clock = path, clock
        self._looked_at = clock()
        self._changed, self._keys = self._read()
        self._allowances: dict[str, Allowance] = {}

    def find(self, token: str) -> Key | None:
        """The key of a token; None where nobody was given it."""
        self._look()
        prefix, _, rest = token.partition("_")
        key_id, _, secret = rest.partition("_")
        key = self._keys.get(key_id)
        # Compared whether the id is known or not, so that both take the same time.
        right = hmac.compare_digest(_hash(secret), key.sha256 if key else _hash(""))
        return key if key and right and prefix == PREFIX else None

    def allowance(self, key: Key) -> Allowance:
        name = f"{key.key_id}/{key.per_minute}"
        return self._allowances.setdefault(name, Allowance(key.per_minute, self._clock))

    def _look(self) -> None:
        if self._clock() - self._looked_at < LOOK_EVERY_S:
            return
        self._looked_at = self._clock()
        if _identity(self._path) == self._changed:
            return
        try:
            self._changed, self._keys = self._read()
        except ConfigurationError as error:
            # Half written, or gone: those known go on being good until it can be read.
            log.error("%s; the keys read before stay", error)

    def _read(self) -> tuple[tuple[int, int], dict[str, Key]]:
        try:
            lines = self._path.read_text(encoding="utf-8").splitlines()
            keys = [
                Key(**{**fields, "scopes": tuple(fields["scopes"])})
                for fields in map(json.loads, filter(str.strip, lines))
            ]
        except OSError as error:
            raise ConfigurationError(f"keys in {self._path}: {error}") from error
        except (ValueError, TypeError, KeyError) as error:
            raise ConfigurationError(
                f"keys in {self._path}: a line is no key ({error!r})"
            ) from error
        if not keys:
            raise ConfigurationError(
                f"{self._path} holds no key; make one: python -m kindling key"
            )
        return _identity(self._path), {key.key_id: key for key in keys}


def _identity(path: Path) -> tuple[int, int]:
    try:
        status = path.stat()
    except OSError:
        return (0, 0)
    return status.st_mtime_ns, status.st_size


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode(errors="replace")).hexdigest()
