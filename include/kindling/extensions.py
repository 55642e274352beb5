"""Finds a source, writer, editor or classifier by its name: ours, or a package's of the user's own.

Ours is a module in the folder of its kind. A user's package names a module by an entry point,
for example in its `pyproject.toml`:

    [project.entry-points."kindling.writers"]
    haiku = "my_package.haiku"
"""

import importlib
import importlib.util
import inspect
import json
import pkgutil
from functools import cache
from hashlib import sha256
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ValidationError

from kindling.errors import ConfigurationError, DataError

if TYPE_CHECKING:  # The command line's help needs no extra, numpy included.
    from kindling.ports.classifier import Classifier

Kind = Literal["source", "writer", "editor", "classifier"]

#: Folder of each kind's own modules, and the functions that a module of it holds.
FOLDERS: dict[Kind, str] = {
    "source": "kindling.sources",
    "writer": "kindling.synthesis.writers",
    "editor": "kindling.synthesis.editors",
    "classifier": "kindling.modeling",
}
FACTORIES: dict[Kind, tuple[str, ...]] = {
    "source": ("source",),
    "writer": ("writer",),
    "editor": ("editor",),
    "classifier": ("train", "load"),
}
#: Written before a folder said its kind.
FIRST_CLASSIFIER = "compact"


def names(kind: Kind) -> tuple[str, ...]:
    """Every name that a recipe may use for the kind, sorted; nothing is imported."""
    return tuple(sorted({*_own(kind), *_foreign(kind)}))


def find(kind: Kind, name: str) -> ModuleType:
    """The module of that name; ConfigurationError with the known names otherwise."""
    if name in _own(kind):
        return importlib.import_module(f"{FOLDERS[kind]}.{name}")
    entry = _foreign(kind).get(name)
    if entry is None:
        raise ConfigurationError(
            f"unknown {kind} {name!r}; known: {', '.join(names(kind))}. A package adds one by"
            f" an entry point of the group kindling.{kind}s"
        )
    return _loaded(kind, entry)


def options(kind: Kind, name: str, given: dict[str, Any]) -> Any:
    """The module's `Options` made from a recipe's keys; ConfigurationError names the wrong key."""
    model: type[BaseModel] = find(kind, name).Options
    try:
        return model.model_validate(given)
    except ValidationError as error:
        wrong = "; ".join(
            f"{'.'.join(map(str, one['loc'])) or 'options'}: {one['msg']}, got {one['input']!r}"
            for one in error.errors()
        )
        allowed = ", ".join(model.model_fields) or "none"
        raise ConfigurationError(
            f"{kind} {name}: {wrong} (keys of {kind} {name}: {allowed})"
        ) from None


def load_classifier(folder: Path) -> "Classifier":
    """The model in a folder, whatever its kind.

    DataError when the folder holds no model, ConfigurationError when its kind is not installed.
    """
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError) as error:
        raise DataError(f"{folder} is no model folder: config.json: {error}") from error
    module = find("classifier", config.get("kind", FIRST_CLASSIFIER))
    return module.load(folder)  # type: ignore[no-any-return]


def identity(kind: Kind, name: str) -> str:
    """Hash of the code behind a name: another writer of the same name makes a stage run again."""
    module = find(kind, name)
    file = Path(inspect.getfile(module))
    files = sorted(file.parent.rglob("*.py")) if file.name == "__init__.py" else [file]
    digest = sha256()
    for one in files:
        digest.update(one.name.encode() + b"\0" + one.read_bytes())
    return digest.hexdigest()


@cache
def _own(kind: Kind) -> frozenset[str]:
    package = importlib.util.find_spec(FOLDERS[kind])
    if package is None or package.submodule_search_locations is None:
        return frozenset()
    found = pkgutil.iter_modules(package.submodule_search_locations)
    # A classifier is a folder; the modules beside it are what classifiers share.
    return frozenset(one.name for one in found if kind != "classifier" or one.ispkg)


def _foreign(kind: Kind) -> dict[str, EntryPoint]:
    return {entry.name: entry for entry in entry_points(group=f"kindling.{kind}s")}


def _loaded(kind: Kind, entry: EntryPoint) -> ModuleType:
    wanted = ("Options", *FACTORIES[kind])
    try:
        module = entry.load()
    except (ImportError, AttributeError) as error:
        raise ConfigurationError(
            f"{kind} {entry.name!r}: {entry.value} cannot be imported: {error}"
        ) from error
    missing = [name for name in wanted if not hasattr(module, name)]
    if missing:
        raise ConfigurationError(
            f"{kind} {entry.name!r}: {entry.value} lacks {' and '.join(missing)}"
        )
    return module  # type: ignore[no-any-return]
