"""Places that earlier nights decided, and what a night adds to them."""

from collections.abc import Container, Mapping, Sequence
from itertools import chain

from kindling.dedupe.clusters import Clustering, Member


def carried(
    before: Mapping[str, Member], unchanged: Container[str]
) -> dict[str, Member]:
    """Of the places of the night before those that hold: of reviews and leaders that are as they were.

    A review whose leader has left, or leads no more, has to find its place anew.
    """
    leading = {
        one
        for one, member in before.items()
        if member.review_id == member.representative and one in unchanged
    }
    return {
        one: member
        for one, member in before.items()
        if one in unchanged and member.representative in leading
    }


def merged(
    places: Mapping[str, Member],
    apart: Sequence[tuple[str, str, float]],
    tonight: Clustering,
) -> Clustering:
    """The clustering of all reviews: places that hold, and those that tonight decided.

    `apart` are pairs of the nights before; of those that lead no more nothing is said.
    Leaders and counts are tonight's.
    """
    followed = {
        member.representative
        for member in chain(places.values(), tonight.members)
        if member.review_id != member.representative
    }
    members = [
        _told(member, followed) for member in chain(places.values(), tonight.members)
    ]
    members.sort()
    leading = {one.review_id for one in members if one.kept}
    pairs = {(a, b): s for a, b, s in apart if a in leading and b in leading}
    pairs |= {(a, b): s for a, b, s in tonight.apart}
    return Clustering(
        members=tuple(members),
        apart=tuple((a, b, s) for (a, b), s in sorted(pairs.items())),
        leaders=tonight.leaders,
        candidates_verified=tonight.candidates_verified,
        near_pairs=tonight.near_pairs,
        opposite_refused=tonight.opposite_refused,
    )


def _told(member: Member, followed: Container[str]) -> Member:
    if member.review_id != member.representative:
        return member
    reason = "representative" if member.review_id in followed else "unique"
    if member.reason == reason:
        return member
    return Member(member.review_id, member.representative, reason, 1.0)
