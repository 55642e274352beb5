"""A year of nights at one gate and one set of golden rows: what freezes, what sinks, what is printed.

    make bench NAME=year

Each simulated year has 120 nights and a fixed golden set of 375 or 3,883 polar rows, of which two
thirds are asked by the gate and one third only printed. Tonight's model reads most rows as last
night's did; two nights' models differ on 1.5 or 3 % of the rows. Models stay equal, sink by .0006
macro-F1 a night, collapse by .03 on night 60, or improve by .0006 a night. Beside the ledger's rule
stands the one before it: the lower bound of the paired difference may not fall below the tolerance,
and what is printed is read from the rows that the gate asks. Some years are played once more through
the ledger as the stages keep it, night by night in a standing store: `replayed_equal` says that the
same champions come of it.
"""

import argparse
import json
from dataclasses import dataclass

import numpy as np

from kindling.evaluation.ledger import SEALED, Look, rule
from kindling.evaluation.looks import Ledger
from kindling.measure.metrics import macro_f1
from kindling.stores.memory import MemoryStanding

NIGHTS, COLLAPSE_NIGHT = 120, 60
SIZES, APART = (375, 3883), (0.015, 0.03)
TOLERANCE = 0.02
#: Years of each cell and scenario that are played through the ledger too.
REPLAYED = 2
#: Share of negative rows, and of each class's rows that are read rightly.
NEGATIVE, READ = 0.18, (0.86, 0.97)
SCENARIOS = ("equal", "sinking", "collapse", "improving")


@dataclass(frozen=True)
class Year:
    """Arrays [years, nights]: true figure, figure on the gate's rows and on the sealed ones."""

    true: np.ndarray
    gate: np.ndarray
    sealed: np.ndarray
    #: Standard error of the paired difference of two nights on the gate's rows.
    error: float


def lost(scenario: str) -> np.ndarray:
    """True macro-F1 [nights] lost since the first night."""
    nights = np.arange(NIGHTS)
    if scenario == "sinking":
        return 0.0006 * nights
    if scenario == "improving":
        return -0.0006 * nights
    if scenario == "collapse":
        return np.where(nights >= COLLAPSE_NIGHT, 0.03, 0.0)
    return np.zeros(NIGHTS)


def figure(right: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Macro-F1 [...] of rightly read rows [..., 2] of `rows` [..., 2]."""
    wrong = rows - right
    cells = [right[..., 0], wrong[..., 0], wrong[..., 1], right[..., 1]]
    return macro_f1(np.stack(np.broadcast_arrays(*cells), -1).astype(float))


def read_share(losses: np.ndarray) -> np.ndarray:
    """Shares [nights, 2] read rightly at which the true figure has lost so much."""
    shares = np.array([NEGATIVE, 1 - NEGATIVE])
    steps = np.linspace(-0.1, 0.15, 2001)
    read = np.array(READ) - steps[:, None] * np.array([2.0, 0.5])
    values = figure(np.clip(read, 0, 1) * shares, shares)
    wanted = figure(np.array(READ) * shares, shares) - losses
    at = np.interp(-wanted, -values, steps)
    return np.clip(np.array(READ) - at[:, None] * np.array([2.0, 0.5]), 0, 1)


def simulate(
    years: int, rows: int, apart: float, scenario: str, rng: np.random.Generator
) -> Year:
    read = read_share(lost(scenario))
    shares = np.array([NEGATIVE, 1 - NEGATIVE])
    found = {}
    for part, share in (("gate", 1 - SEALED), ("sealed", SEALED)):
        of_class = np.maximum(np.round(rows * share * shares), 2).astype(int)
        # Some rows are read by the toss of a coin: two nights differ on half of them. Which
        # rows are hard is the golden set's own luck, the same every night.
        luck = rng.binomial(of_class, READ, (years, 1, 2)) / of_class - READ
        own = np.clip(read + luck, 0, 1)
        coins = np.maximum(np.round(2 * apart * of_class), 1).astype(int)
        tossed = coins / of_class
        sure = np.clip(own - tossed / 2, 0, 1 - tossed)
        fallen = rng.binomial(
            coins, np.clip((own - sure) / tossed, 0, 1), (years, NIGHTS, 2)
        )
        found[part] = figure(sure * of_class + fallen, of_class)
    pairs = found["gate"][:, 1::2] - found["gate"][:, 0:-1:2]
    steady = scenario == "equal"
    error = float(pairs.std()) if steady else float(np.diff(found["gate"]).std())
    true = np.broadcast_to(figure(read * shares, shares), (years, NIGHTS))
    return Year(true, found["gate"], found["sealed"], error)


@dataclass(frozen=True)
class Played:
    """How the years went: the champion's night [years, nights], and nights of alarm."""

    champion: np.ndarray
    alarms: np.ndarray


def play(year: Year, ledger: bool) -> Played:
    """All years at once; the rule is `ledger.rule`, or the lower bound alone."""
    years = len(year.gate)
    rows = np.arange(years)
    champion = np.zeros((years, NIGHTS), dtype=int)
    alarms = np.zeros((years, NIGHTS), dtype=bool)
    error = np.full(years, year.error)
    # The first night's model is the pinned reference.
    above = year.gate - year.gate[:, :1]
    for night in range(1, NIGHTS):
        holder = champion[:, night - 1]
        over = year.gate[:, night] - year.gate[rows, holder]
        if ledger:
            ruling = rule(above[:, : night + 1], over, error, TOLERANCE)
            alarm, passed = ruling.alarm, ~ruling.alarm & ~ruling.held
        else:
            alarm = over + 1.96 * year.error < 0
            passed = over - 1.96 * year.error >= -TOLERANCE
        champion[:, night] = np.where(passed, night, holder)
        alarms[:, night] = alarm
    return Played(champion, alarms)


def replay(year: Year, number: int) -> np.ndarray:
    """The champion's night [nights] of one year, by the ledger that the stages keep."""
    ledger = Ledger(MemoryStanding(), "year")
    figures, champion, held = year.gate[number], 0, [0]
    for night in range(NIGHTS):
        look = Look(
            run_id=f"night-{night}",
            version=str(night),
            metric="polarity_macro_f1",
            data_sha256="0" * 64,
            reference="0",
            value=float(figures[night]),
            over_reference=float(figures[night] - figures[0]),
            over_champion=float(figures[night] - figures[champion]) if night else None,
            error=year.error if night else 0.0,
        )
        advice = ledger.advise(look, TOLERANCE)
        ledger.decide(look, advice.decision, ())
        if night and advice.decision == "promoted":
            champion = night
        if night:
            held.append(champion)
    return np.array(held)


def frozen(played: Played) -> float:
    """Share of years in which no candidate passed in the last quarter."""
    last = played.champion[:, -1]
    return float((last < NIGHTS * 3 // 4).mean())


def figures(
    years: int, rows: int, apart: float, ledger: bool, seed: int
) -> dict[str, float]:
    rng = np.random.default_rng(seed)
    simulated = {name: simulate(years, rows, apart, name, rng) for name in SCENARIOS}
    error = simulated["equal"].error
    simulated = {
        name: Year(one.true, one.gate, one.sealed, error)
        for name, one in simulated.items()
    }
    played = {name: play(one, ledger) for name, one in simulated.items()}
    at = np.arange(years)
    replayed = not ledger or all(
        np.array_equal(replay(simulated[name], number), one.champion[number])
        for name, one in played.items()
        for number in range(min(REPLAYED, years))
    )
    end = {
        name: simulated[name].true[at, one.champion[:, -1]]
        for name, one in played.items()
    }
    start = simulated["equal"].true[0, 0]
    collapse = played["collapse"].champion[:, COLLAPSE_NIGHT:] >= COLLAPSE_NIGHT
    refused_first = ~collapse[:, 0]
    shown = simulated["equal"].sealed if ledger else simulated["equal"].gate
    printed = shown[at, played["equal"].champion[:, -1]]
    caught = np.where(refused_first, 1, 1 + (~collapse).argmax(1))
    return {
        "frozen_share": frozen(played["equal"]),
        "refused_nights": float(
            (played["equal"].champion[:, 1:] != np.arange(1, NIGHTS)).mean()
        ),
        "fall_when_sinking": float(start - end["sinking"].mean()),
        "fall_after_collapse": float(start - end["collapse"].mean()),
        "gain_when_improving": float(end["improving"].mean() - start),
        "collapse_caught_nights": float(np.median(caught)),
        "false_alarm_years": float(played["equal"].alarms.any(1).mean()),
        "printed_bias": float((printed - end["equal"]).mean()),
        "error": error,
        "replayed_equal": replayed,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", help="not needed: nothing is read")
    parser.add_argument("--years", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=20261125)
    arguments = parser.parse_args()
    cells = []
    for rows in SIZES:
        for apart in APART:
            for ledger in (False, True):
                found = figures(arguments.years, rows, apart, ledger, arguments.seed)
                print(
                    json.dumps(
                        {"rows": rows, "apart": apart, "ledger": ledger}
                        | {name: round(value, 4) for name, value in found.items()}
                    )
                )
                if ledger:
                    cells.append(found)
    print(
        json.dumps(
            {
                name: round(max(abs(one[name]) for one in cells), 4)
                for name in (
                    "frozen_share",
                    "fall_when_sinking",
                    "collapse_caught_nights",
                    "false_alarm_years",
                    "printed_bias",
                )
            }
            | {"replayed_equal": all(one["replayed_equal"] for one in cells)}
        )
    )


if __name__ == "__main__":
    main()
