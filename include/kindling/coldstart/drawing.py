"""The curve as a picture and a table: inline SVG for the report, a page of its own, lines for a terminal."""

from collections.abc import Callable, Mapping, Sequence
from html import escape

from kindling.coldstart.curve import Comparison, Curve, Point
from kindling.coldstart.plan import (
    ALL,
    FEW_SHOT,
    LINES,
    NEIGHBOURS,
    REAL,
    SEEDS,
    SYNTHETIC,
    WITH,
    ZERO,
    point_name,
)
from kindling.measure.metrics import HEADLINES
from kindling.records import Estimate

#: Colours that can be told apart on white, on black, and by most who see few colours.
_COLOURS = {
    ZERO: "#8a8f98",
    SEEDS: "#e0863a",
    NEIGHBOURS: "#3f8fd1",
    SYNTHETIC: "#b35fc0",
    REAL: "#2f9e75",
    WITH: "#d1495b",
    FEW_SHOT: "#a08a2c",
}
#: Figure -> height in the picture.
Height = Callable[[float], float]
_WIDTH, _HEIGHT = 640.0, 320.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 44.0, 16.0, 14.0, 34.0
#: What the verdicts stand on is in the words, not in the colours alone.
_STYLE = """<style>
.cold svg { width:100%; max-width:46rem; height:auto; display:block }
.cold svg text { font:11px system-ui, sans-serif; fill:currentColor; opacity:.75 }
.cold .keys { display:flex; flex-wrap:wrap; gap:.2rem 1.2rem; padding:0; margin:.4rem 0 1rem; list-style:none; font-size:.88rem }
.cold .keys i { display:inline-block; width:1.1rem; height:.22rem; margin-right:.4rem; vertical-align:middle }
.cold .scroll { overflow-x:auto } .cold table { border-collapse:collapse; font-size:.88rem }
.cold th, .cold td { text-align:left; padding:.3rem .8rem .3rem 0; vertical-align:top; border-bottom:1px solid #8884 }
.cold td small { display:block; opacity:.7; white-space:nowrap } .cold .helps { color:#2f9e75 } .cold .harms { color:#d1495b }
</style>"""


def section(curve: Curve) -> str:
    """HTML of the picture, its key and its tables; loads nothing, escapes every name."""
    return "\n".join(
        (
            _STYLE,
            '<div class="cold">',
            *([svg(curve), _key()] if _drawn(curve) else []),
            f"<p>{escape(said(curve))}</p>",
            _table(curve),
            _verdicts(curve),
            "</div>",
        )
    )


def page(curve: Curve) -> str:
    """The section as a page that needs nothing else."""
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="color-scheme" content="light dark">'
        f"<title>Cold-start curve, {escape(curve.generator)}</title>"
        "<style>body { font:16px/1.5 system-ui, sans-serif; max-width:58rem;"
        " margin:2rem auto; padding:0 1rem }</style></head><body>"
        f"<h1>Cold-start curve</h1>{section(curve)}</body></html>\n"
    )


def said(curve: Curve) -> str:
    """What the picture is of, in words."""
    missing = ", ".join(map(str, curve.missing))
    return (
        f"{_title(curve.metric)} on real niche rows of products that were not learned from; "
        f"generated rows: {curve.generator}. {curve.niche_rows} real niche rows of "
        f"{curve.products} products, {curve.neighbours} rows of other categories, "
        f"{curve.draws} draws; full data is {curve.all_rows:.0f} niche rows with the others. "
        "Intervals of 95 % over products and draws. No golden row was looked at."
        + (f" Too few real rows for the points {missing}." if missing else "")
        + ("" if _drawn(curve) else " Nothing is drawn: no figure has an interval.")
    )


def _drawn(curve: Curve) -> list[Point]:
    """Points of the picture: those with an interval, since a figure without one says nothing."""
    places = _points_of(curve)
    return [
        one
        for one in curve.points
        if one.line in _COLOURS
        and one.real_rows in places
        and not one.figures[curve.metric].refused
    ]


def svg(curve: Curve) -> str:
    """The lines over the numbers of real rows, whiskers for intervals, full data as a dashed line."""
    points = _points_of(curve)
    places = [one for one in points if one != ALL]
    figures = _drawn(curve)
    low, high = _range([one.figures[curve.metric] for one in figures])
    across = _LEFT + 30
    step = (_WIDTH - _RIGHT - 30 - across) / max(1, len(places) - 1)
    x = {place: across + step * number for number, place in enumerate(places)}

    def y(value: float) -> float:
        share = (min(max(value, low), high) - low) / (high - low)
        return _HEIGHT - _BOTTOM - share * (_HEIGHT - _BOTTOM - _TOP)

    drawn = [*_frame(low, high, y), *_numbers(x)]
    full = [one for one in figures if one.line == REAL and one.real_rows == ALL]
    if full:
        drawn += _full(full[0].figures[curve.metric].value, y)
    for number, (line, colour) in enumerate(_COLOURS.items()):
        aside = 4.0 * (number - (len(_COLOURS) - 1) / 2)
        some = [one for one in figures if one.line == line and one.real_rows in x]
        at = [(x[one.real_rows] + aside, one.figures[curve.metric]) for one in some]
        drawn += _line(at, colour, y)
    label = escape(f"{_title(curve.metric)} by number of real niche rows")
    return (
        f'<svg viewBox="0 0 {_WIDTH:.0f} {_HEIGHT:.0f}" role="img" aria-label="{label}">'
        + "".join(drawn)
        + "</svg>"
    )


def _frame(low: float, high: float, y: Height) -> list[str]:
    drawn = []
    steps = round((high - low) * 10)
    for number in range(steps + 1):
        value = low + number / 10
        level = y(value)
        drawn.append(
            f'<line x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{level:.1f}" y2="{level:.1f}" '
            'stroke="currentColor" stroke-opacity=".15"/>'
            f'<text x="{_LEFT - 6}" y="{level + 4:.1f}" text-anchor="end">{value:.1f}</text>'
        )
    return drawn


def _numbers(x: Mapping[int, float]) -> list[str]:
    foot = _HEIGHT - 14
    return [
        f'<text x="{at:.1f}" y="{foot}" text-anchor="middle">{place} real rows</text>'
        for place, at in x.items()
    ]


def _full(value: float, y: Height) -> list[str]:
    level = y(value)
    return [
        f'<line x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{level:.1f}" y2="{level:.1f}" '
        'stroke="currentColor" stroke-dasharray="5 4" stroke-opacity=".6"/>'
        f'<text x="{_WIDTH - _RIGHT}" y="{level - 4:.1f}" text-anchor="end">full data</text>'
    ]


def _line(at: Sequence[tuple[float, Estimate]], colour: str, y: Height) -> list[str]:
    placed = [(x, y(one.value), one) for x, one in at]
    path = " ".join(f"{x:.1f},{level:.1f}" for x, level, _ in placed)
    drawn = [
        f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="1.8"/>'
    ]
    for x, level, one in placed:
        if not one.refused:
            top, foot = y(one.high), y(one.low)
            drawn.append(
                f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{top:.1f}" y2="{foot:.1f}" '
                f'stroke="{colour}" stroke-opacity=".45" stroke-width="2"/>'
            )
        drawn.append(f'<circle cx="{x:.1f}" cy="{level:.1f}" r="3.2" fill="{colour}"/>')
    return drawn


def _range(figures: Sequence[Estimate]) -> tuple[float, float]:
    known = [one for one in figures if not one.refused] or list(figures)
    low = min((one.low for one in known), default=0.0)
    high = max((one.high for one in known), default=1.0)
    bottom, top = int(low * 10) / 10, -int(-high * 10 - 0.999) / 10
    top = min(1.0, top)
    return bottom, max(top, bottom + 0.1)


def _key() -> str:
    keys = "".join(
        f'<li><i style="background:{colour}"></i>{escape(line)}: {escape(LINES[line])}</li>'
        for line, colour in _COLOURS.items()
    )
    return f'<ul class="keys">{keys}</ul>'


def _table(curve: Curve) -> str:
    points = _points_of(curve)
    found = {(one.line, one.real_rows): one for one in curve.points}
    head = "".join(f"<th>{_column(curve, point)}</th>" for point in points)
    rows = [
        f"<tr><th>{escape(line)}</th>"
        + "".join(f"<td>{_cell(curve, found.get((line, one)))}</td>" for one in points)
        + "</tr>"
        for line in LINES
        if any((line, one) in found for one in points)
    ]
    return (
        f'<div class="scroll"><table><tr><th>{escape(_title(curve.metric))}</th>{head}</tr>'
        + "".join(rows)
        + "</table></div>"
    )


def _column(curve: Curve, point: int) -> str:
    if point == ALL:
        return f"full data ({curve.all_rows:.0f})"
    return f"{point} real rows"


def _cell(curve: Curve, point: Point | None) -> str:
    return _figure(point.figures[curve.metric]) if point else "–"


def _figure(one: Estimate, sign: str = "") -> str:
    if one.refused:
        return f"<small>{escape(one.refused)}</small>"
    low, high = f"{one.low:{sign}.3f}", f"{one.high:{sign}.3f}"
    return f"{one.value:{sign}.3f}<small>[{low}, {high}]</small>"


def _verdicts(curve: Curve) -> str:
    points = _points_of(curve)
    names = dict.fromkeys(one.name for one in curve.comparisons)
    found = {(one.name, one.real_rows): one for one in curve.comparisons}
    head = "".join(f"<th>{_column(curve, point)}</th>" for point in points)
    rows = []
    for name in names:
        first = next(one for one in curve.comparisons if one.name == name)
        cells = "".join(
            f"<td>{_verdict(curve, found.get((name, p)))}</td>" for p in points
        )
        what = f"{first.line} minus {first.under}"
        rows.append(
            f"<tr><th>{escape(name)}<small> {escape(what)}</small></th>{cells}</tr>"
        )
    source = curve.comparisons[0].figures[curve.metric] if curve.comparisons else None
    note = (
        f"<p><small>n={source.n} of {source.products} products, data {source.data_sha256[:8]}"
        "</small></p>"
        if source
        else ""
    )
    return (
        f'<div class="scroll"><table><tr><th>paired by product</th>{head}</tr>'
        + "".join(rows)
        + f"</table></div>{note}"
    )


def _verdict(curve: Curve, one: Comparison | None) -> str:
    if one is None:
        return "–"
    return f'<b class="{one.verdict.replace(" ", "-")}">{one.verdict}</b> ' + _figure(
        one.figures[curve.metric], "+"
    )


def _points_of(curve: Curve) -> list[int]:
    return list(dict.fromkeys(one.real_rows for one in curve.points))


def _title(metric: str) -> str:
    return next(one.title for one in HEADLINES if one.name == metric)


def text_lines(curve: Curve) -> list[str]:
    """The same for a terminal: figures, then verdicts."""
    points = _points_of(curve)
    width = max(map(len, LINES))
    lines = [said(curve), ""]
    heads = [f"{point_name(point) + ' rows':>22}" for point in points]
    lines.append(" " * width + "".join(heads))
    found = {(one.line, one.real_rows): one for one in curve.points}
    for line in LINES:
        cells = [found.get((line, point)) for point in points]
        if any(cells):
            lines.append(
                f"{line:<{width}}"
                + "".join(
                    f"{_plain(one.figures[curve.metric]) if one else '-':>22}"
                    for one in cells
                )
            )
    lines.append("")
    lines += [
        f"{one.name}, {point_name(one.real_rows)} real rows: {one.verdict}; "
        f"{one.line} minus {one.under} {one.figures[curve.metric]}"
        for one in curve.comparisons
    ]
    return lines


def _plain(one: Estimate) -> str:
    if one.refused:
        return "too few products"
    return f"{one.value:.3f} [{one.low:.3f}, {one.high:.3f}]"
