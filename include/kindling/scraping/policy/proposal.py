"""A language model may say where tonight's pages should go; it picks from a list, and no more than a part follows it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from kindling.errors import BudgetSpent, DataError, TransientError
from kindling.ports.llm import Llm, Message
from kindling.scraping.policy.arms import Arm, Candidate
from kindling.scraping.policy.bandit import Belief

#: Share of the budget that a proposal moves at most; the bandit's choice holds for the rest.
SHARE = 0.25
_MAX_REASON = 300
_SYSTEM = (
    "You plan which pages a polite web crawler asks for tonight. Goal: many new product reviews "
    "for few requests. Answer with one of the listed choices, word for word, and a short reason. "
    "'new': pages never seen. 'deeper': known pages, for reviews added since. 'retry': pages that "
    "failed. 'rest': ask this source for nothing tonight."
)


@dataclass(frozen=True)
class Proposal:
    """What the model said: an arm of the list, or why its answer was refused."""

    arm: Arm | None
    reason: str = ""
    refused: str = ""


def propose(
    llm: Llm,
    candidates: Sequence[Candidate],
    beliefs: Mapping[Arm, Belief],
    seed: int,
) -> Proposal:
    """The model's choice among the candidates and resting; a refusal where it gives none of them.

    No failure of the model stops the night: the refusal says what it was, and is kept with the decision.
    """
    allowed = _allowed(candidates)
    prompt = [Message("system", _SYSTEM), Message("user", _asked(candidates, beliefs))]
    try:
        answer = llm.complete(prompt, schema=_schema(list(allowed)), seed=seed)
    except (DataError, TransientError, BudgetSpent) as error:
        return Proposal(None, refused=f"{type(error).__name__}: {error}"[:_MAX_REASON])
    given = answer.parsed or {}
    choice, reason = str(given.get("choice")), str(given.get("reason", ""))
    if choice not in allowed:
        listed = ", ".join(allowed)
        return Proposal(
            None, refused=f"{choice[:80]!r} is not on the list ({listed})"[:_MAX_REASON]
        )
    return Proposal(allowed[choice], reason[:_MAX_REASON])


def _allowed(candidates: Sequence[Candidate]) -> dict[str, Arm]:
    """Everything that may be proposed, by the words for it."""
    arms = [one.arm for one in candidates if one.pages]
    sources = dict.fromkeys(arm.source for arm in arms)
    # A single source that rests would leave the night without a request.
    rests = [Arm(source, "rest") for source in sources if len(sources) > 1]
    return {str(arm): arm for arm in (*arms, *rests)}


def _asked(candidates: Sequence[Candidate], beliefs: Mapping[Arm, Belief]) -> str:
    lines = [
        f"- {one.arm}: at most {one.pages} pages; believed {beliefs[one.arm].mean:.3g} new rows per "
        f"unit of cost, from {beliefs[one.arm].pages:.0f} pages' worth of evidence"
        for one in candidates
        if one.pages
    ]
    return "\n".join(["What is known:", *lines, "Choices:", *_allowed(candidates)])


def _schema(allowed: Sequence[str]) -> dict[str, object]:
    return {
        "type": "object",
        "required": ["choice", "reason"],
        "additionalProperties": False,
        "properties": {
            "choice": {"type": "string", "enum": list(allowed)},
            "reason": {"type": "string"},
        },
    }
