"""Names as they stand in addresses and ids."""

import re


def slug(name: str) -> str:
    """Lower-case letters, digits and hyphens: "Cushions & throws" -> "cushions-throws"."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
