"""Which of schema.org's types are things that people buy and review, which are reviews, and which are neither."""

from collections.abc import Iterable
from typing import Any

from kindling.scraping.structured import Node

PRODUCTS = frozenset(
    name.lower()
    for name in (
        "Product ProductGroup ProductModel ProductCollection IndividualProduct SomeProducts "
        "DietarySupplement Drug Vehicle Car Motorcycle MotorizedBicycle BusOrCoach "
        "Book Audiobook BookSeries Movie MovieSeries TVSeries VideoGame VideoGameSeries Game "
        "MusicAlbum MusicRecording SoftwareApplication MobileApplication WebApplication "
        "Course CourseInstance"
    ).split()
)
REVIEWS = frozenset(
    name.lower()
    for name in (
        "Review UserReview CriticReview EmployerReview MediaReview Recommendation "
        "ClaimReview ReviewNewsArticle"
    ).split()
)
#: A review of one of these is about the shop, not about what it sells.
OTHERS = frozenset(
    name.lower()
    for name in (
        "Organization Corporation OnlineBusiness OnlineStore Store LocalBusiness Brand "
        "Person Place WebSite WebPage Service Article NewsArticle BlogPosting Event "
        "Restaurant Hotel LodgingBusiness"
    ).split()
)


def listed(value: Any) -> list[Any]:
    """The value as a list; none for nothing."""
    return [] if value is None else value if isinstance(value, list) else [value]


def types(node: Node) -> set[str]:
    """The node's types in lower case, without vocabulary and prefix."""
    return {
        str(one).rsplit("/", 1)[-1].rsplit("#", 1)[-1].rsplit(":", 1)[-1].lower()
        for one in listed(node.get("@type"))
    }


def has_type(node: Node, kinds: Iterable[str]) -> bool:
    return not types(node).isdisjoint(kinds)


def is_product(node: Node) -> bool:
    return has_type(node, PRODUCTS)


def is_review(node: Node) -> bool:
    """Whether the node is a review; types that only end in "Review" are subtypes that sites make up."""
    found = types(node)
    return not found.isdisjoint(REVIEWS) or any(
        one.endswith("review") for one in found - PRODUCTS
    )
