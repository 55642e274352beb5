"""Rules found anew for a shop that was read before are in quarantine until stored pages speak for them.

Two questions, answered from what is stored: do they leave the reviews of the last trusted night's pages as
they were; and do they find, on tonight's changed pages, the reviews that the same addresses had then?
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

#: Pages read again for each of the two questions.
MAX_TRIALS = 16
#: Share of the reviews of trusted pages that must be read as they were, and no other.
_UNHARMED = 0.98
#: Share of an address's earlier reviews that must be found again on tonight's page; some move or go.
_FOUND_AGAIN = 0.8


@dataclass(frozen=True)
class Trial:
    """Digests of a page's reviews: as trusted, and as read with the rules on trial."""

    trusted: Sequence[str]
    read: Sequence[str]


def refusal(old_pages: Iterable[Trial], changed_pages: Iterable[Trial]) -> str:
    """Why the rules stay in quarantine, with the figures; empty where they may be used."""
    wanted, got, same = _counted(old_pages)
    if same < _UNHARMED * max(wanted, got):
        return (
            f"on stored pages they give {got} reviews, {same} of them as trusted; {wanted} were "
            f"trusted, and {_UNHARMED:.0%} have to be as they were"
        )
    wanted, got, same = _counted(changed_pages)
    if same < _FOUND_AGAIN * wanted:
        return (
            f"on tonight's pages they find {same} of the {wanted} reviews that the same addresses had; "
            f"{_FOUND_AGAIN:.0%} are needed"
        )
    return ""


def _counted(trials: Iterable[Trial]) -> tuple[int, int, int]:
    """(trusted, read, both) reviews over all pages."""
    wanted = got = same = 0
    for trial in trials:
        wanted += len(trial.trusted)
        got += len(trial.read)
        same += (Counter(trial.trusted) & Counter(trial.read)).total()
    return wanted, got, same


def spread(urls: list[str], most: int) -> list[str]:
    """At most so many of them, evenly from the whole list."""
    step = max(1, len(urls) // most)
    return urls[::step][:most]
