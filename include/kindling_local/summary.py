"""What a run ends with: rows and rejections, figures with their intervals, the verdict, peak memory."""

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import unquote, urlparse

from rich.console import Console
from rich.table import Table

from kindling.figures import CheckFigures, PromoteFigures
from kindling_local import words
from kindling_local.memory import Peak
from kindling_local.pipeline import Failure, RunOutcome
from kindling_local.progress import in_order, seconds

#: Fields by which an Estimate is known once it is JSON.
ESTIMATE = {"value", "n", "low", "high", "data_sha256"}
HEADLINES = ("polarity_macro_f1", "three_way_macro_f1")
#: Before the names of the candidate's figures.
OWN = "candidate."
#: Figures that stand alone; those of slices and curves are in the report.
DEPTH = 2


def print_outcome(console: Console, outcome: RunOutcome, photo_note: str) -> None:
    """Rows in and out of every stage with reasons for rejections, every estimate, and the verdict."""
    console.print(stage_table(outcome))
    codes = [code for report in outcome.reports.values() for code in report["rejected"]]
    for line in words.legend(codes):
        plain(console, f"  {line}")
    for stage, report in outcome.reports.items():
        if implementation := report.get("implementation"):
            plain(
                console,
                f"{stage} by "
                + ", ".join(f"{port}: {name}" for port, name in implementation.items()),
            )
    if "evaluate" in outcome.reports:
        console.print(figure_table(outcome.reports["evaluate"]["figures"]))
        if photo_note:
            plain(console, f"of figures that involve photos: {photo_note}")
    if "promote" in outcome.reports:
        for line in verdict(outcome.reports["promote"]["figures"]):
            plain(console, line)


def stage_table(outcome: RunOutcome) -> Table:
    """One row a stage; a rejection stands with its reason."""
    table = Table(
        "stage",
        box=None,
        header_style="bold",
        title=f"run {outcome.run}",
        title_justify="left",
    )
    for column in ("rows in", "rows out", "time"):
        table.add_column(column, justify="right")
    table.add_column("rejected, by reason", overflow="fold")
    for task in in_order(outcome.tasks):
        report = outcome.reports.get(task.name)
        if report is None:
            table.add_row(task.name, "", "", "", task.state)
            continue
        rejected = ", ".join(
            f"{reason} {count:,}"
            for reason, count in sorted(
                report["rejected"].items(), key=lambda item: -item[1]
            )
        )
        table.add_row(
            task.name,
            f"{report['rows_in']:,}",
            f"{report['rows_out']:,}",
            seconds(task.elapsed_s),
            rejected or "none",
        )
    return table


def figure_table(figures: Mapping[str, Any]) -> Table:
    """Every estimate down to `DEPTH` with interval, n and data hash; headlines first, the rest by name."""
    table = Table("evaluation", box=None, header_style="bold")
    for column in ("value", "95 % interval", "n", "data"):
        table.add_column(column, justify="right")
    ordered = sorted(estimates(figures), key=lambda figure: _place(figure[0]))
    for name, one in ordered:
        value, interval = _printed(one)
        table.add_row(name, value, interval, f"{one['n']:,}", one["data_sha256"][:8])
    return table


def _place(name: str) -> tuple[bool, bool, str]:
    """The candidate's own headlines first, then the rest by name."""
    own = name.startswith(OWN)
    return name.removeprefix(OWN) not in HEADLINES, not own, name


def _printed(estimate: Mapping[str, Any]) -> tuple[str, str]:
    """Value and interval; a figure without an interval is not printed, but why there is none."""
    if estimate.get("refused"):
        return "", str(estimate["refused"])
    interval = f"\\[{estimate['low']:.3f}, {estimate['high']:.3f}]"
    return f"{estimate['value']:.3f}", interval


def estimates(
    figures: Mapping[str, Any], path: tuple[str, ...] = ()
) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Dotted names and estimates."""
    for key, value in figures.items():
        if not isinstance(value, Mapping):
            continue
        if set(value) >= ESTIMATE:
            yield ".".join((*path, key)), value
        elif len(path) + 1 < DEPTH:
            yield from estimates(value, (*path, key))


def verdict(stored: Mapping[str, Any]) -> list[str]:
    """The gate's verdict, then every check with what it saw."""
    figures = PromoteFigures.from_dict(stored)
    candidate, champion = figures.candidate_version, figures.champion_version
    if figures.promoted:
        first = f"gate: version {candidate} is the champion" + (
            f", after version {figures.previous_champion}"
            if figures.previous_champion
            else ""
        )
    else:
        first = f"gate: version {candidate} is not let through; the champion " + (
            f"stays version {champion}" if champion else "is still to come"
        )
        if figures.provisional:
            first += (
                f". Until then version {figures.serving_version} serves, and every"
                " answer says that it is provisional"
            )
    return [first, *(_checked(check) for check in figures.checks)]


def _checked(check: CheckFigures) -> str:
    """One criterion: its verdict, its code (the runbook explains it), what was seen, what it would take."""
    said = {"pass": "pass", "fail": "FAIL"}.get(check.verdict, "cannot tell")
    if not check.asked:
        said = "not asked"
    line = f"  {said:11}  {check.code}: {check.detail}"
    return f"{line}; needed: {check.needed}" if check.needed else line


def print_failure(console: Console, failed: Failure, url: str) -> None:
    """Which stage, why, the end of its log, and where all of it is."""
    console.print(
        f"FAILED: {failed.stage or 'the run'}", style="bold red", markup=False
    )
    plain(console, failed.reason)
    if failed.lines:
        plain(console, f"--- the last {len(failed.lines)} lines of its log ---")
        for line in failed.lines:
            plain(console, line)
        plain(console, f"--- all of it: {failed.log}")
        plain(console, f"--- in Airflow's UI (after `make up`): {url}")


def print_peak(console: Console, peak: Peak) -> None:
    """Peak memory and what it was made of."""
    parts = ", ".join(
        f"{name} {size / 2**20:,.0f}"
        for name, size in peak.parts.items()
        if size >= 2**20
    )
    plain(
        console,
        f"peak memory: {peak.total / 2**30:.2f} GiB ({peak.measure}; in MiB: {parts})",
    )


def report_uri(outcome: RunOutcome) -> str:
    """URI of the evaluation's HTML report; empty when there is none."""
    return str(outcome.reports.get("evaluate", {}).get("uris", {}).get("report", ""))


def readable(uri: str) -> str:
    """A `file://` URI as a path; any other as it is."""
    parsed = urlparse(uri)
    return unquote(parsed.path) if parsed.scheme == "file" else uri


def plain(console: Console, line: str) -> None:
    """A line as it is: data may look like markup."""
    console.print(line, markup=False, highlight=False, soft_wrap=True)
