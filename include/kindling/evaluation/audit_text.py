"""An audit in words, for a terminal."""

from collections.abc import Iterator

from kindling.evaluation.audit import Audit, Calibration, Dealt, Paired
from kindling.measure.intervals import METHOD
from kindling.records import Estimate


def text(found: Audit) -> str:
    """The whole audit; every figure with n and 95 % interval."""
    return "\n".join(_lines(found))


def _lines(found: Audit) -> Iterator[str]:
    groups = (
        f"{found.groups} groups by {found.grouped_by!r}"
        if found.grouped_by
        else "no groups: rows are taken to be independent"
    )
    yield f"{found.rows} rows, {groups}; columns: " + ", ".join(
        f"{role} {name!r}" for role, name in found.columns.items()
    )
    yield "classes: " + ", ".join(
        f"{name} {count}" for name, count in found.class_rows.items()
    )
    yield ""
    for name, one in found.figures.items():
        yield f"{_title(name):24}{_shown(one)}"
    for label, parts in found.classes.items():
        for name, one in parts.items():
            yield f"{_title(f'{name} of {label}'):24}{_shown(one)}"
    yield ""
    yield "Controls"
    yield f"{_title('minus most frequent'):24}{_shown(found.over_constant, '+')} (macro-F1)"
    yield f"{_title('dealt to other rows'):24}{_dealt(found.dealt)}"
    if found.dealt_within_groups:
        yield (
            f"{_title('dealt within groups'):24}{_dealt(found.dealt_within_groups)}:"
            " what knowing the group alone would bring"
        )
    for sign in found.suspicions:
        yield f"  SUSPICIOUS {sign.code}: {sign.detail}"
    if not found.suspicions:
        yield "  no sign of a leak in the file itself"
    if found.paired:
        yield ""
        yield from _paired(found.paired)
    if found.calibration:
        yield ""
        yield from _calibration(found.calibration)
    yield ""
    yield "What this does not show"
    yield from (f"  - {one}" for one in found.not_shown)
    yield ""
    yield f"Intervals: 95 %, {METHOD}, over groups."


def _title(name: str) -> str:
    return f"  {name.replace('_', ' ')}"


def _shown(one: Estimate, sign: str = "") -> str:
    if one.refused:
        return f"{one.refused} (n={one.n})"
    detects = f", detects {one.detectable:.3f}" if one.detectable is not None else ""
    return (
        f"{one.value:{sign}.3f} [{one.low:{sign}.3f}, {one.high:{sign}.3f}]"
        f" (n={one.n}, {one.in_effect:.0f} groups in effect{detects},"
        f" data {one.data_sha256[:8]})"
    )


def _dealt(one: Dealt) -> str:
    return f"macro-F1 {one.macro_f1:.3f} on average; as good as the model: p={one.p_value:.3f}"


def _paired(found: Paired) -> Iterator[str]:
    yield "First model minus second, on the same rows"
    for name, one in found.differences.items():
        yield f"{_title(name):24}{_shown(one, '+')}"
    yield (
        f"  only the first is right {found.only_first_right} times, only the second"
        f" {found.only_second_right} times"
    )
    yield (
        f"  McNemar's exact test p={found.mcnemar_p:.4f} (of independent rows);"
        f" names exchanged by group p={found.groups_exchanged_p:.4f}"
    )


def _calibration(found: Calibration) -> Iterator[str]:
    yield "Confidence"
    for name, one in found.figures.items():
        yield f"{_title(name):24}{_shown(one)}"
    for one_bin in found.bins:
        yield (
            f"  says {one_bin.confidence:.3f}, is right {one_bin.accuracy:.3f}"
            f" (n={one_bin.n})"
        )
