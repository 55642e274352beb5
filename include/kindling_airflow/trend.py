"""Small line charts as inline SVG: the page that shows them runs no script and fetches nothing."""

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

WIDTH, HEIGHT, MARGIN = 320, 72, 6


@dataclass(frozen=True)
class Point:
    """One night: a value, and its interval where it has one."""

    label: str
    value: float
    low: float | None = None
    high: float | None = None


def chart(points: Sequence[Point], title: str) -> Markup:
    """The points from left (oldest) to right, intervals as bars; empty for none."""
    if not points:
        return Markup()
    lows = [point.value if point.low is None else point.low for point in points]
    highs = [point.value if point.high is None else point.high for point in points]
    bottom, top = min(lows), max(highs)
    span = (top - bottom) or abs(top) or 1.0

    def x(position: int) -> float:
        steps = max(1, len(points) - 1)
        return MARGIN + position * (WIDTH - 2 * MARGIN) / steps

    def y(value: float) -> float:
        return HEIGHT - MARGIN - (value - bottom) * (HEIGHT - 2 * MARGIN) / span

    line = " ".join(
        f"{x(number):.1f},{y(point.value):.1f}" for number, point in enumerate(points)
    )
    drawn = [
        Markup('<svg viewBox="0 0 {} {}" role="img" aria-label="{}">').format(
            WIDTH, HEIGHT, title
        ),
        Markup('<polyline points="{}"/>').format(line),
    ]
    for number, point in enumerate(points):
        if point.low is not None and point.high is not None:
            drawn.append(
                Markup('<line x1="{0}" x2="{0}" y1="{1}" y2="{2}"/>').format(
                    f"{x(number):.1f}", f"{y(point.low):.1f}", f"{y(point.high):.1f}"
                )
            )
        drawn.append(
            Markup('<circle cx="{}" cy="{}" r="3"><title>{}</title></circle>').format(
                f"{x(number):.1f}", f"{y(point.value):.1f}", point.label
            )
        )
    return Markup("").join([*drawn, Markup("</svg>")])
