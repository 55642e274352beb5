"""A source's nights, and whether tonight's keeps the contract with them.

One fact a night and source: its figures, its snapshot, and whether it is trusted. Tonight is compared with a
lagged night, the oldest of the last trusted seven, so that what gets worse by little each night is seen, too.
A night in alarm is remembered and not trusted: no later night is compared with it, or goes on from it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kindling.errors import DataError, SourceAlarm
from kindling.ports.source import Account
from kindling.ports.standing import Fact, StandingStore
from kindling.scraping.health import Health, alarms

#: Trusted nights back that tonight is compared with, as far as there are so many.
LAG = 7


@dataclass(frozen=True)
class Checked:
    """A source's contract in one night of a recipe: what got worse, and against which night."""

    recipe: str
    run_id: str
    source: str
    alarms: tuple[str, ...]
    baseline_run: str


def last_trusted(
    standing: StandingStore, recipe: str, run_id: str
) -> dict[str, Mapping[str, Any]]:
    """Of each source the newest trusted night before this one."""
    return {
        source: facts[-1].value
        for source, facts in _trusted(standing, recipe, run_id).items()
    }


def check(
    standing: StandingStore, recipe: str, run_id: str, source: str, account: Account
) -> Checked:
    """Compare a source's night with its baseline, and remember it."""
    trusted = _trusted(standing, recipe, run_id).get(source, [])
    baseline = trusted[-LAG:][0].value if trusted else None
    worse: list[str] = []
    if baseline is not None and not _accepted(standing, recipe, run_id, source):
        worse = alarms(Health(**account.health), Health(**baseline["health"]))
    standing.append(
        _topic(recipe),
        source,
        {
            "run_id": run_id,
            "health": dict(account.health),
            "alarms": worse,
            "trusted": not worse,
            "snapshot_uri": account.snapshot_uri,
            "known": dict(account.known),
        },
    )
    against = baseline["run_id"] if baseline else ""
    return Checked(recipe, run_id, source, tuple(worse), against)


def refuse_alarms(checked: Sequence[Checked]) -> None:
    """SourceAlarm where a source breaks its contract; then nothing of the night is committed."""
    broken = [one for one in checked if one.alarms]
    if not broken:
        return
    told = "; ".join(
        f"{one.source}: {', '.join(one.alarms)} (night {one.baseline_run})"
        for one in broken
    )
    first = broken[0]
    raise SourceAlarm(
        f"source_alarm: {told}. Nothing of this night goes on; the last good rows, model and index stay. "
        f"Look at the shop; if it has really changed: python -m kindling accept --recipe {first.recipe} "
        f"--run '{first.run_id}' --source '{first.source}', and clear the task"
    )


def gave_nothing(source: str, recipe: str, why: str) -> SourceAlarm:
    """The alarm of a source that had rows on earlier nights and has none tonight."""
    return SourceAlarm(
        f"source_alarm: {source} of {recipe} gave rows on earlier nights and gives none: {why}. Nothing of "
        "this night goes on; the last good rows, model and index stay"
    )


def accept(standing: StandingStore, recipe: str, run_id: str, source: str) -> None:
    """Trust a night in spite of its alarms; DataError where there is no such night."""
    value = night_of(standing, recipe, run_id, source)
    standing.append(
        _topic(recipe), source, {**value, "trusted": True, "accepted": True}
    )


def night_of(
    standing: StandingStore, recipe: str, run_id: str, source: str
) -> Mapping[str, Any]:
    """What is remembered of a source's night; DataError, with those that are known, where there is none."""
    facts = list(standing.read(_topic(recipe)))
    for fact in reversed(facts):
        if (fact.key, fact.value["run_id"]) == (source, run_id):
            return fact.value
    nights = [f"{fact.key} in {fact.value['run_id']}" for fact in facts[-10:]]
    raise DataError(
        f"recipe {recipe!r} remembers no night {run_id!r} of the source {source!r}; "
        f"known: {', '.join(nights) or 'none'}"
    )


def _accepted(standing: StandingStore, recipe: str, run_id: str, source: str) -> bool:
    return any(
        (fact.key, fact.value["run_id"]) == (source, run_id)
        and fact.value.get("accepted", False)
        for fact in standing.read(_topic(recipe))
    )


def _trusted(
    standing: StandingStore, recipe: str, run_id: str
) -> dict[str, list[Fact]]:
    """Trusted nights of each source but this one, in their order; a night's newest fact counts."""
    newest: dict[tuple[str, str], Fact] = {}
    for fact in standing.read(_topic(recipe)):
        newest[fact.key, fact.value["run_id"]] = fact
    found: dict[str, list[Fact]] = {}
    for (source, run), fact in newest.items():
        if run != run_id and fact.value["trusted"]:
            found.setdefault(source, []).append(fact)
    return found


def _topic(recipe: str) -> str:
    return f"source/{recipe}"
