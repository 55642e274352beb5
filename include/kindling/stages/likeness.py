"""Whose copy each review is: what is new is compared with what stands, the rest stays as it was decided."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Protocol

from kindling.dedupe.carried import carried, merged
from kindling.dedupe.clusters import Clustering, Member, cluster_texts
from kindling.dedupe.leaders import read_back, stored, text_keys
from kindling.dedupe.leading import Leader, Leaders
from kindling.dedupe.leakage import Withheld, copies_of_departed
from kindling.dedupe.placement import Membership
from kindling.dedupe.texts import Rules, Written, read_texts
from kindling.observe.lineage import sha256_of
from kindling.ports.bands import BandRow, BandStore
from kindling.ports.standing import StandingStore
from kindling.records import DedupeDecision, Sentiment
from kindling.stages.contract import Context
from kindling.stages.view import Outlines, Unsplit

#: Leaders that are written to the bands in one piece.
_WRITTEN_AT_ONCE = 5_000


class Needs(Protocol):
    """What the comparison is handed."""

    unsplit: Unsplit
    bands: BandStore
    standing: StandingStore


@dataclass(frozen=True)
class Likeness:
    """A night's clusters, and how they came about."""

    space: str
    rows: Outlines
    clustering: Clustering
    #: New reviews that repeat one that was learned from and has left the shop.
    seen: Mapping[str, Withheld]
    #: What has left and was learned from under other rules: it is kept under these.
    departed: Leaders
    #: Reviews whose words were read.
    read: int


def space_of(recipe: str, rules: Rules) -> str:
    """Where leaders of the recipe are kept: other rules give other keys."""
    return f"{spaces_of(recipe)}{sha256_of(vars(rules))[:16]}"


def spaces_of(recipe: str) -> str:
    """How the names of all spaces of the recipe begin."""
    return f"{sha256_of(recipe)[:16]}/"


def likeness(
    needs: Needs, context: Context, rules: Rules, known: Membership
) -> Likeness:
    """The clusters of all reviews of the run, as if all of them had been compared in their order.

    Words are read of reviews that are new or changed since the night before, or whose leader
    has left. Without such a night, or under other rules, all are read.
    """
    space = space_of(context.recipe.name, rules)
    needs.bands.forget_night(space, context.run_id)
    before = needs.unsplit.before()
    fact = needs.standing.get(_topic(space), before.run_id) if before else None
    if before is None or fact is None:
        return _anew(needs, context, rules, known)
    rows = needs.unsplit.outlines()
    places = carried(_places(before.decisions()), _unchanged(before.outlines(), rows))
    return _continued(
        needs, context, rules, known, _Held(rows, places, fact.value["apart"])
    )


def keep(
    needs: Needs,
    context: Context,
    rules: Rules,
    found: Likeness,
    learned: Collection[str],
) -> None:
    """Let later nights find who stands for others; `learned` are reviews that models may learn from."""
    version = {one.review_id: one.version for one in found.rows}
    new = found.clustering.leaders
    for start in range(0, len(new), _WRITTEN_AT_ONCE):
        some = stored(new[start : start + _WRITTEN_AT_ONCE], rules)
        needs.bands.add(
            found.space,
            context.run_id,
            [
                replace(
                    one,
                    version=version[one.review_id],
                    learned=one.review_id in learned,
                )
                for one in some
            ],
        )
    gone = [replace(one, learned=True) for one in stored(found.departed, rules)]
    needs.bands.add(found.space, context.run_id, gone)
    needs.bands.learn(found.space, learned)
    # Only now may a later night build on this one.
    pairs = [list(pair) for pair in found.clustering.apart]
    needs.standing.append(_topic(found.space), context.run_id, {"apart": pairs})


@dataclass(frozen=True)
class _Held:
    rows: Outlines
    places: Mapping[str, Member]
    apart: Iterable[tuple[str, str, float]]


def _anew(needs: Needs, context: Context, rules: Rules, known: Membership) -> Likeness:
    space = space_of(context.recipe.name, rules)
    rows = needs.unsplit.outlines()
    texts = read_texts(needs.unsplit.words(), rules)
    nights = dict.fromkeys(known.reviews, 0)
    clustering = cluster_texts(texts, rules, nights)
    present = {one.review_id for one in rows}
    gone = {one: leader for one, leader in known.learned.items() if one not in present}
    spaces = spaces_of(context.recipe.name)
    for row in needs.bands.learned(spaces, context.run_id):
        if row.review_id not in present:
            gone[row.review_id] = Leader(*_text(row), None)
    departed = _signed(gone.values(), rules)
    new = [
        one.review_id
        for one in clustering.members
        if one.kept and one.review_id not in known.reviews
    ]
    seen = _seen(needs, new, departed, rules)
    return Likeness(space, rows, clustering, seen, departed, len(rows))


def _continued(
    needs: Needs, context: Context, rules: Rules, known: Membership, held: _Held
) -> Likeness:
    space = space_of(context.recipe.name, rules)
    present = {one.review_id: one.version for one in held.rows}
    fresh = [one for one in present if one not in held.places]
    texts = read_texts(needs.unsplit.words(fresh), rules)
    found = needs.bands.candidates(space, text_keys(texts, rules), context.run_id)
    nights = {one: 0 for one in fresh if one in known.reviews}
    standing = read_back(_standing(found, present, held.places), rules)
    tonight = cluster_texts(texts, rules, nights, standing)
    apart = [(pair[0], pair[1], pair[2]) for pair in held.apart if len(pair) == 3]
    # Never kept so far: tonight may be the first time.
    unsure = [
        one
        for one, member in held.places.items()
        if member.kept and one not in known.reviews
    ]
    if unsure:
        asked = text_keys(read_texts(needs.unsplit.words(unsure), rules), rules)
        found += needs.bands.candidates(space, asked, context.run_id)
    gone = {one.review_id: one for one in found if one.learned}
    departed = [row for one, row in gone.items() if one not in present]
    new = [*unsure, *tonight.leaders.review_ids]
    return Likeness(
        space,
        held.rows,
        merged(held.places, apart, tonight),
        _seen(needs, new, read_back(departed, rules), rules),
        Leaders.of([], rules.permutations),
        len(fresh) + len(unsure),
    )


def _standing(
    found: Iterable[BandRow],
    present: Mapping[str, bytes],
    places: Mapping[str, Member],
) -> list[BandRow]:
    """Those that lead tonight by the words by which they were found, each once."""
    standing: dict[str, BandRow] = {}
    for row in found:
        place = places.get(row.review_id)
        if place and place.kept and row.version == present[row.review_id]:
            standing.setdefault(row.review_id, row)
    return list(standing.values())


def _seen(
    needs: Needs, new: Collection[str], departed: Leaders, rules: Rules
) -> dict[str, Withheld]:
    if not new or not departed:
        return {}
    return copies_of_departed(needs.unsplit.words(new), departed, rules)


def _places(decisions: Iterable[DedupeDecision]) -> dict[str, Member]:
    return {
        one.review_id: Member(one.review_id, one.cluster_id, one.reason, one.similarity)
        for one in decisions
    }


def _unchanged(before: Outlines, tonight: Outlines) -> set[str]:
    """Reviews with the same words and stars on the same product."""
    held = {one.review_id: (one.product_id, one.rating, one.version) for one in before}
    return {
        one.review_id
        for one in tonight
        if held.get(one.review_id) == (one.product_id, one.rating, one.version)
    }


def _signed(leaders: Iterable[Leader], rules: Rules) -> Leaders:
    """Leaders that were signed under other rules, or not at all, signed under these."""
    some = list(leaders)
    texts = read_texts(
        (
            Written(one.review_id, one.scope.removeprefix("in "), 3, one.folded)
            for one in some
        ),
        rules,
    )
    row = dict(zip(texts.review_ids, texts.nodes.tolist(), strict=True))
    signed = []
    for one in some:
        at = texts.rows[row[one.review_id]]
        signature = None if at < 0 else texts.signature[at]
        scope = texts.scopes[row[one.review_id]]
        signed.append(one._replace(signature=signature, scope=scope))
    return Leaders.of(signed, rules.permutations)


def _text(row: BandRow) -> tuple[str, str, str, Sentiment]:
    return row.review_id, row.folded, row.scope, row.sentiment


def _topic(space: str) -> str:
    return f"likeness/{space}"
