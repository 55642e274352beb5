"""The guard at the border of the golden holdout: nothing alike may stand on both sides."""

from collections.abc import Iterable, Mapping

from kindling.errors import DataError
from kindling.records import Split


def check_text(
    alike: Iterable[tuple[str, str, float]], splits: Mapping[str, Split]
) -> None:
    """DataError naming the first pair of alike reviews, both kept, of which just one is golden."""
    for a, b, similarity in alike:
        if (splits[a] == "golden") != (splits[b] == "golden"):
            raise DataError(
                f"reviews {a} ({splits[a]}) and {b} ({splits[b]}) have similarity {similarity:.3f} "
                "and stand on two sides of the golden border; group their products"
            )


def crossing(
    clusters: Iterable[frozenset[str]],
    users: Mapping[str, Iterable[str]],
    splits: Mapping[str, Split],
) -> list[frozenset[str]]:
    """Photo clusters that golden products share with others. `users`: photo id -> products that show it."""
    found = []
    for cluster in clusters:
        sides = {
            splits[product] == "golden"
            for photo in cluster
            for product in users.get(photo, ())
        }
        if len(sides) > 1:
            found.append(cluster)
    return found
