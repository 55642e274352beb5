"""A difference between two nights as lines for a terminal."""

from collections.abc import Iterator, Mapping
from typing import Any

from kindling.difference.nights import Difference, Pair

#: Keys named on a line before "and N more".
_NAMED = 5


def lines(found: Difference) -> Iterator[str]:
    """Rows first, then splits, synthetic rows, figures and the gate."""
    yield f"{found.before} -> {found.after}"
    for name, keys in found.rows.items():
        yield (
            f"{name}: {keys.before} -> {keys.after}; {len(keys.new)} new,"
            f" {len(keys.changed)} changed, {len(keys.gone)} gone"
        )
        for kind in ("new", "changed", "gone"):
            some = getattr(keys, kind)
            if some and name == "reviews":
                yield f"  {kind}: {_named(some)}"
    for split, (before, after) in found.splits.items():
        yield f"{split}: {before} -> {after} rows"
    if found.moved:
        moved = [f"{key} {before} -> {after}" for key, before, after in found.moved]
        yield f"in another split: {_named(moved)}"
    yield f"synthetic admitted: {found.admitted[0]} -> {found.admitted[1]}"
    for pair in found.figures:
        yield f"{pair.name}: {_figure(pair.before)} -> {_figure(pair.after)}"
    yield from _verdict(found.verdicts)
    for stage, why in found.stages.items():
        yield f"{stage}: {why}"


def _named(keys: tuple[str, ...] | list[str]) -> str:
    more = f" and {len(keys) - _NAMED} more" if len(keys) > _NAMED else ""
    return ", ".join(keys[:_NAMED]) + more


def _figure(value: Mapping[str, Any] | None) -> str:
    if value is None:
        return "none"
    if value.get("refused"):
        return f"{value['refused']} (n={value['n']})"
    return (
        f"{value['value']:.3f} [{value['low']:.3f}, {value['high']:.3f}] n={value['n']}"
    )


def _verdict(pair: Pair) -> Iterator[str]:
    for name, one in (("before", pair.before), ("after", pair.after)):
        if one is None:
            yield f"gate {name}: no verdict"
            continue
        codes = ", ".join(one["codes"]) or "none"
        yield (
            f"gate {name}: {one['verdict']}, codes {codes}; champion {one['champion'] or 'none'},"
            f" serves {one['serving'] or 'none'}"
        )
