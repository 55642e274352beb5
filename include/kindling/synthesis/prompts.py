"""Prompts as versioned data of the package: what was asked can be told from the row, word for word."""

import hashlib
from collections.abc import Collection
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from string import Template

from kindling.errors import ConfigurationError
from kindling.ports.llm import Message


@dataclass(frozen=True)
class Prompt:
    """A system and a user turn with `$placeholders`."""

    #: File name without its suffix, such as `write_review.v1`.
    id: str
    sha256: str
    system: str
    user: str

    def messages(self, **values: object) -> list[Message]:
        """The two turns with their values; what a value holds is never read as a placeholder."""
        return [
            Message("system", Template(self.system).substitute(values)),
            Message("user", Template(self.user).substitute(values)),
        ]


def load(name: str, allowed: Collection[str]) -> Prompt:
    """The package's prompt of that name, or the one in the `.md` file at that path.

    ConfigurationError when there is none, when a turn is missing, or when a placeholder is not
    one of `allowed`.
    """
    path = Path(name)
    if path.suffix != ".md":
        path = Path(str(resources.files("kindling"))) / "prompts" / f"{name}.md"
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(
            f"prompt {name!r} cannot be read ({error}); known: {', '.join(known())},"
            " or a path to a .md file"
        ) from None
    if not text.startswith("# system\n") or "\n# user\n" not in text:
        raise ConfigurationError(
            f"prompt {path}: wanted a heading `# system`, its turn, a heading `# user`, its turn"
        )
    system, user = text.removeprefix("# system\n").split("\n# user\n", 1)
    unknown = set(Template(text).get_identifiers()) - set(allowed)
    if unknown or not Template(text).is_valid():
        raise ConfigurationError(
            f"prompt {path}: unknown placeholder {', '.join(sorted(unknown)) or '$'};"
            f" known: {', '.join(sorted(allowed))}; a dollar sign is written $$"
        )
    digest = hashlib.sha256(text.encode()).hexdigest()
    return Prompt(path.stem, digest, system.strip(), user.strip())


def known() -> list[str]:
    """Names of the package's prompts."""
    folder = Path(str(resources.files("kindling"))) / "prompts"
    return sorted(path.stem for path in folder.glob("*.md"))
