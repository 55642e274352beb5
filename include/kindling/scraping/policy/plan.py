"""Tonight's pages by source and action, each with the reason that it is kept with."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from kindling.ports.llm import Llm
from kindling.scraping.policy.arms import FETCHING, Action, Arm, Candidate, Observation
from kindling.scraping.policy.bandit import Belief, Memory, UpperBound, share_out
from kindling.scraping.policy.proposal import SHARE, Proposal, propose


@dataclass(frozen=True)
class Terms:
    """What a night's plan is made under. `budget` in pages, `rest_below` in rows per cost, `seed` the model's."""

    budget: int
    rest_below: float
    seed: int
    memory: Memory = Memory()


@dataclass(frozen=True)
class Plan:
    """Pages by source and action, and for each source why."""

    pages: Mapping[str, Mapping[Action, int]]
    reasons: Mapping[str, str]
    #: What a language model proposed, where one was asked.
    proposal: Mapping[str, Any] = field(default_factory=dict)


def plan(
    terms: Terms,
    candidates: Sequence[Candidate],
    seen: Sequence[Observation],
    llm: Llm | None = None,
) -> Plan:
    """The bandit's shares of the budget; a language model may move a quarter of it within the list."""
    beliefs = terms.memory.beliefs(candidates, seen)
    bandit = UpperBound(rest_below=terms.rest_below)
    given = share_out(candidates, beliefs, bandit, terms.budget)
    said: dict[str, Any] = {}
    if llm is not None:
        proposal = propose(llm, candidates, beliefs, terms.seed)
        said = {
            "model": llm.name,
            "choice": str(proposal.arm) if proposal.arm else None,
            "reason": proposal.reason,
            "refused": proposal.refused,
        }
        given = _following(proposal, terms, candidates, beliefs, given)
    sources = dict.fromkeys(one.arm.source for one in candidates)
    return Plan(
        {source: _of(source, given) for source in sources},
        {source: _reason(source, given, beliefs, said) for source in sources},
        said,
    )


def _following(
    proposal: Proposal,
    terms: Terms,
    candidates: Sequence[Candidate],
    beliefs: dict[Arm, Belief],
    given: dict[Arm, int],
) -> dict[Arm, int]:
    """The shares with the proposal in them; as they were where it was refused."""
    arm = proposal.arm
    if arm is None:
        return given
    bandit = UpperBound(rest_below=terms.rest_below)
    if arm.action == "rest":
        others = [one for one in candidates if one.arm.source != arm.source]
        shares = share_out(others, beliefs, bandit, terms.budget)
        return {one.arm: shares.get(one.arm, 0) for one in candidates}
    room = next(one.pages for one in candidates if one.arm == arm)
    moved = min(room, round(SHARE * terms.budget))
    rest = [
        Candidate(one.arm, one.pages - moved * (one.arm == arm)) for one in candidates
    ]
    shares = share_out(rest, beliefs, bandit, terms.budget - moved)
    return {one: pages + moved * (one == arm) for one, pages in shares.items()}


def _of(source: str, given: Mapping[Arm, int]) -> dict[Action, int]:
    return {action: given.get(Arm(source, action), 0) for action in FETCHING}


def _reason(
    source: str,
    given: Mapping[Arm, int],
    beliefs: Mapping[Arm, Belief],
    said: Mapping[str, Any],
) -> str:
    arms = [arm for arm in beliefs if arm.source == source]
    parts = [
        f"{arm.action} {given.get(arm, 0)} pages (believed {beliefs[arm].mean:.3g} rows per cost, "
        f"{beliefs[arm].pages:.0f} pages' worth of evidence)"
        for arm in arms
    ]
    if not any(given.get(arm, 0) for arm in arms):
        parts.insert(0, "rest: nothing here is likely to be worth a request tonight")
    choice = said.get("choice") or ""
    if choice.startswith(f"{source} "):
        parts.append(f"{said['model']} proposed {choice}: {said['reason']}")
    return "; ".join(parts)


def as_json(made: Plan) -> dict[str, Any]:
    """For the event log."""
    return asdict(made)
