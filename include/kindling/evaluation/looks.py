"""The ledger as it is kept: looks at golden rows and decisions on them, as facts that outlive a run."""

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from typing import Any

from kindling.errors import DataError
from kindling.evaluation.figures import EvaluationFigures
from kindling.evaluation.ledger import Advice, Look, standard_error, tonight
from kindling.ports.standing import Fact, StandingStore


@dataclass(frozen=True)
class Entry:
    """A look, when it was made, and what was decided since; empty while nothing was."""

    look: Look
    at: datetime
    outcome: str = ""
    #: Codes of the criteria that did not pass.
    codes: tuple[str, ...] = ()


class Ledger:
    """One recipe's looks. A run's retry finds its own look and adds none."""

    def __init__(self, standing: StandingStore, recipe: str) -> None:
        self._standing = standing
        self._looks = f"golden-looks/{recipe}"
        self._decisions = f"golden-decisions/{recipe}"
        self._pinned = f"golden-reference/{recipe}"

    def reference(self) -> str | None:
        """Version of the model that every night is measured beside; None before the first."""
        found = self._standing.get(self._pinned, "reference")
        return str(found.value["version"]) if found else None

    def pin(self, version: str) -> None:
        """Measure every night from now on beside this version; the level is found anew."""
        self._standing.append(self._pinned, "reference", {"version": version})

    def opened(self, run_id: str) -> set[str]:
        """Products that a gate has read; what the run itself has read does not count, so that its
        retry decides as its first attempt did."""
        return {
            one
            for fact in self._facts()
            if fact.value["run_id"] != run_id
            for one in fact.value["opened"]
        }

    def enter(self, look: Look) -> list[Look]:
        """Write the look down; returns the looks before it, oldest first."""
        own = self._standing.put_once(self._looks, _key(look), asdict(look))
        return [_look(one) for one in self._facts() if one.number < own.number]

    def advise(self, look: Look, tolerance: float) -> Advice:
        """What the looks before allow this one to decide; it is entered where it is not."""
        return tonight(self.enter(look), look, tolerance)

    def decide(self, look: Look, outcome: str, codes: Collection[str]) -> None:
        """Write down what the gate made of the look."""
        said = {"outcome": outcome, "codes": list(codes)}
        known = self._standing.get(self._decisions, _key(look))
        if known is None or dict(known.value) != said:
            self._standing.append(self._decisions, _key(look), said)

    def entries(self) -> list[Entry]:
        """Every look with its newest decision, oldest first."""
        decided = self._standing.latest(self._decisions)
        return [_entry(fact, decided.get(fact.key)) for fact in self._facts()]

    def _facts(self) -> list[Fact]:
        return list(self._standing.read(self._looks))


def look_of(figures: EvaluationFigures, metric: str, run_id: str) -> Look:
    """Tonight's look, from what evaluate measured; KeyError where the figure was not measured."""
    figure = figures.systems["candidate"][metric]
    over = figures.differences["champion"][metric] if figures.compared else None
    beside = figures.differences.get("reference", {}).get(metric)
    return Look(
        run_id=run_id,
        version=figures.candidate_version,
        metric=metric,
        data_sha256=figure.data_sha256,
        reference=figures.reference_version,
        value=figure.value,
        # The reference itself is no distance from the reference.
        over_reference=beside.value if beside else 0.0,
        over_champion=over.value if over else None,
        error=standard_error(over),
        opened=figures.opened,
    )


def _key(look: Look) -> str:
    return f"{look.run_id}/{look.version}"


def _look(fact: Fact) -> Look:
    stored: Mapping[str, Any] = fact.value
    try:
        known = {one.name: stored[one.name] for one in fields(Look)}
    except KeyError as error:
        raise DataError(
            f"fact {fact.number} of {fact.topic} is no look at golden rows: {error} is missing"
        ) from error
    return Look(**{**known, "opened": tuple(known["opened"])})


def _entry(fact: Fact, decided: Fact | None) -> Entry:
    said = decided.value if decided else {"outcome": "", "codes": []}
    return Entry(_look(fact), fact.at, str(said["outcome"]), tuple(said["codes"]))
