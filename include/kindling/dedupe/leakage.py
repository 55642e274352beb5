"""The border of the golden holdout: nothing alike is on both sides, tonight or over the nights."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from kindling.errors import DataError
from kindling.records import Split


@dataclass(frozen=True)
class Withheld:
    """A review that neither trains nor judges, and why."""

    reason: str
    detail: str


def at_border(
    alike: Iterable[tuple[str, str, float]],
    splits: Mapping[str, Split],
    known: Mapping[str, Split],
) -> dict[str, Withheld]:
    """Of alike kept reviews, one golden and one not, the one that has to go.

    That is the one outside golden, unless an earlier night `known` has trained on it and the
    golden one is new: then the new one is no judge.
    """
    gone: dict[str, Withheld] = {}
    for a, b, similarity in alike:
        if (splits[a] == "golden") == (splits[b] == "golden"):
            continue
        golden, other = (a, b) if splits[a] == "golden" else (b, a)
        if other in known and golden not in known:
            gone[golden] = Withheld(
                "copy_seen_in_training",
                f"{other} ({splits[other]}) has been learned from, similarity {similarity:.3f}",
            )
        else:
            gone[other] = Withheld(
                "copy_across_golden", f"golden {golden}, similarity {similarity:.3f}"
            )
    return gone


def moved_into_golden(
    products: Mapping[str, str],
    splits: Mapping[str, Split],
    known: Mapping[str, Split],
) -> dict[str, Withheld]:
    """Known reviews from outside golden that now stand on a golden product.

    `products` maps each review to its product, `splits` each product to its split.
    """
    return {
        review_id: Withheld(
            "moved_into_golden", f"was {known[review_id]}, product {product_id}"
        )
        for review_id, product_id in products.items()
        if splits[product_id] == "golden" and known.get(review_id, "golden") != "golden"
    }


def check_text(
    alike: Iterable[tuple[str, str, float]], splits: Mapping[str, Split]
) -> None:
    """DataError naming the first pair of alike reviews, both kept, of which just one is golden."""
    for a, b, similarity in alike:
        if a not in splits or b not in splits:
            continue
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
