"""How many pages a crawl may ask for tonight, by what it asks them for."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from kindling.scraping.policy.arms import Action
from kindling.scraping.snapshot import Snapshot


@dataclass
class Allowance:
    """Hands out tonight's pages: `pages` by action, None for as many as there are."""

    pages: Mapping[str, int] | None = None
    earlier: Snapshot = Snapshot()
    spent: Counter[Action] = field(default_factory=Counter)

    def action(self, url: str) -> Action:
        """What asking for this address would be: a look for new pages, another try, or a look deeper.

        A known page without reviews is a listing or the like: what it leads to is what is new there.
        """
        if url in self.earlier.failed:
            return "retry"
        page = self.earlier.pages.get(url)
        return "deeper" if page is not None and page.texts else "new"

    def take(self, url: str) -> Action | None:
        """The action that pays for this address; None where it has nothing left."""
        action = self.action(url)
        if self.pages is not None and self.spent[action] >= self.pages.get(action, 0):
            return None
        self.spent[action] += 1
        return action

    @property
    def rests(self) -> bool:
        """Whether nothing at all may be asked for."""
        return self.pages is not None and not any(self.pages.values())
