"""Where an interval lies to a line: pass, fail or cannot tell, and what it would take to know."""

import math

from kindling.evaluation.verdict import Evidence, Outcome
from kindling.records import Estimate

#: A blind model gains nothing but the rounding of sums.
ROUNDING = 1e-9


def above(found: Estimate, line: float, shown_below: bool) -> Outcome:
    if found.low >= line and not found.refused:
        return "pass"
    return "fail" if shown_below else "cannot tell"


def gains(found: Estimate) -> Outcome:
    """Something, and not the rounding of sums, is gained."""
    if found.low > ROUNDING and not found.refused:
        return "pass"
    return "fail" if found.high <= ROUNDING else "cannot tell"


def it_would_take(
    verdict: Outcome, found: Estimate, line: float, evidence: Evidence
) -> str:
    """What it would take for the lower bound to reach the line, were the value the true one."""
    if verdict == "pass":
        return ""
    if verdict == "fail":
        return "a better model: this one is shown to be too low"
    rare = min(evidence.class_rows.items(), key=lambda item: item[1], default=None)
    scarce = f", {rare[0]} reviews above all (n={rare[1]})" if rare else ""
    if found.refused:
        return f"golden rows of more products{scarce}"
    if found.value <= line:
        return "a better model: more rows would only show it"
    rows = more(found.n, found.value, found.low, line)
    products = (
        f" of about {math.ceil(found.products * rows / found.n)} products"
        if found.products
        else ""
    )
    return f"about {rows} golden rows{products}{scarce}"


def more(n: int, value: float, low: float, line: float) -> int:
    """Rows at which the lower bound would reach the line; the error falls with their root."""
    room = max(value - line, 1e-3)
    return math.ceil(n * ((value - low) / room) ** 2)
