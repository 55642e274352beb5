"""Figures of stages that others read, each a frozen dataclass: made once, stored once, read by attribute.

Standard library only: the terminal's summary and Airflow's page read them too. Figures that
nobody but people read are plain mappings. Those of `evaluate` stand in `evaluation/figures.py`.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any


@dataclass(frozen=True)
class CheckFigures:
    """One criterion of the gate."""

    code: str
    name: str
    #: "pass", "fail" or "cannot tell".
    verdict: str
    detail: str
    #: What it would take to know or to pass.
    needed: str = ""
    #: False where there was nothing to judge.
    asked: bool = True

    @property
    def passed(self) -> bool:
        """Whether the criterion is met."""
        return self.verdict == "pass"


@dataclass(frozen=True)
class PromoteFigures:
    """What the gate decided, and what serves since."""

    promoted: bool
    #: "pass", "fail" or "cannot tell".
    verdict: str
    reasons: tuple[str, ...]
    candidate_version: str
    champion_version: str | None
    previous_champion: str | None
    serving_version: str | None
    #: True where the version that serves has passed no gate.
    provisional: bool
    checks: tuple[CheckFigures, ...]

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> "PromoteFigures":
        """The figures as a report stores them; KeyError names one that is missing.

        Nights before the three verdicts stored less: whether a check passed, and no code.
        """
        own = {one.name: stored[one.name] for one in fields(cls) if one.name in stored}
        earlier = {
            "verdict": "pass" if stored["promoted"] else "fail",
            "previous_champion": None,
            "serving_version": stored["champion_version"],
            "provisional": False,
        }
        checks = tuple(_check(one) for one in stored["checks"])
        reasons = tuple(stored.get("reasons", ()))
        return cls(**earlier | own | {"reasons": reasons, "checks": checks})

    def to_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        return asdict(self)


def _check(stored: Mapping[str, Any]) -> CheckFigures:
    verdict = stored.get("verdict") or ("pass" if stored["passed"] else "fail")
    return CheckFigures(
        code=stored.get("code") or stored["name"],
        name=stored["name"],
        verdict=verdict,
        detail=stored["detail"],
        needed=stored.get("needed", ""),
        asked=stored.get("asked", True),
    )
