"""Floor 7: charts for pages and reports: an SVG without script or style of its own, and a table that says the same.

A page needs `STYLESHEET` once; the colours are told apart with any colour vision, lines by their dashes too.
"""

import html
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, Literal

import pygal
from markupsafe import Markup
from pygal.style import Style

sys.meta_path[:] = [finder for finder in sys.meta_path if type(finder) is not getattr(pygal, "PluginImportFixer", None)]
"""pygal leaves a finder of the old kind behind, for plugins that nobody uses here: each later import would bring a warning."""

Kind = Literal["columns", "lines", "bars"]
"""`columns` stand upright over periods, stacked where there are several series; `lines` run over periods; `bars` lie, one for each name."""
_WIDTH: Final = 480
_HEIGHT: Final = 250
_BAR: Final = 30
_AROUND_BARS: Final = 70
_FONT: Final = 14
_MOST_LABELS: Final = 6
_WHOLE_FROM: Final = 10
_KEPT_FIGURES: Final = 256
_ATTRIBUTES: Final = frozenset(["class", "x", "y", "width", "height", "rx", "ry", "d", "transform", "cx", "cy", "r", "viewBox"])
_SHAPES: Final = frozenset(["g", "rect", "path", "circle", "text"])
_LEFT_OUT: Final = ("titles", "text-overlay", "tooltip-overlay")
_INVISIBLE: Final = "background"

STYLESHEET: Final = """
.chart { --c0: #0072b2; --c1: #d55e00; --c2: #8a929b; --c3: #009e73; --c4: #aa4499; --ink: #1f2933; --soft: #52606d; --line: #d9dee3; margin: 0; }
@media (prefers-color-scheme: dark) { .chart.follows-scheme { --c0: #56b4e9; --c1: #f0883e; --c2: #8b949e; --c3: #3fc39a; --c4: #d98cc8; --ink: #e6edf3; --soft: #9da7b1; --line: #30363d; } }
.chart figcaption { color: var(--ink); }
.chart figcaption strong { display: block; font-size: 1.05rem; }
.chart figcaption span { color: var(--soft); font-size: .9rem; }
.chart svg { display: block; width: 100%; height: auto; margin: .5rem 0; }
.chart svg text { font: 14px system-ui, sans-serif; fill: var(--soft); }
.chart svg .axis.x text { text-anchor: middle; }
.chart svg .axis.y text { text-anchor: end; }
.chart svg .guide { stroke: var(--line); fill: none; }
.chart svg .vertical .axis.x .guide { stroke: none; }
.chart svg .axis.line { stroke: var(--soft); fill: none; }
.chart svg .color-0 { --c: var(--c0); } .chart svg .color-1 { --c: var(--c1); } .chart svg .color-2 { --c: var(--c2); }
.chart svg .color-3 { --c: var(--c3); } .chart svg .color-4 { --c: var(--c4); }
.chart svg .series rect, .chart svg .series circle { fill: var(--c); }
.chart svg .series path.line { stroke: var(--c); stroke-width: 2.5; fill: none; stroke-linejoin: round; }
.chart svg .color-1 path.line { stroke-dasharray: 7 4; } .chart svg .color-2 path.line { stroke-dasharray: 2 3; } .chart svg .color-3 path.line { stroke-dasharray: 11 3 2 3; }
.chart svg .ci path { stroke: var(--ink); stroke-width: 1.5; fill: none; }
.chart ul.legend { display: flex; flex-wrap: wrap; gap: .2rem 1.1rem; list-style: none; margin: .4rem 0 0; padding: 0; color: var(--soft); font-size: .9rem; }
.chart ul.legend li::before { content: ""; display: inline-block; width: .8em; height: .8em; margin-right: .4em; border-radius: 2px; background: var(--c); }
.chart ul.legend .color-0 { --c: var(--c0); } .chart ul.legend .color-1 { --c: var(--c1); } .chart ul.legend .color-2 { --c: var(--c2); }
.chart ul.legend .color-3 { --c: var(--c3); } .chart ul.legend .color-4 { --c: var(--c4); }
.chart summary { color: var(--soft); font-size: .9rem; cursor: pointer; padding: .3rem 0; }
.chart .scroll { overflow-x: auto; }
.chart table { border-collapse: collapse; font-size: .9rem; font-variant-numeric: tabular-nums; color: var(--ink); }
.chart th, .chart td { padding: .2rem .7rem .2rem 0; text-align: right; border-bottom: 1px solid var(--line); font-weight: normal; }
.chart th:first-child { text-align: left; } .chart thead th { color: var(--soft); vertical-align: bottom; }
.chart p.none { color: var(--soft); }
""".strip()
"""All rules begin with `.chart`; with the class `follows-scheme` beside it a chart turns dark where the reader's screen does."""


@dataclass(frozen=True, slots=True)
class Series:
    """One row of numbers, None where there is none; `intervals` are shown as whiskers and in the table."""

    name: str
    values: tuple[float | None, ...]
    intervals: tuple[tuple[float, float] | None, ...] = ()
    color: int | None = None
    """One of the five colours (0 blue, 1 orange, 2 grey, 3 green, 4 purple), where its meaning asks for one; else by its place."""


@dataclass(frozen=True, slots=True)
class Chart:
    """One idea as a chart.

    `title` states it, `says` explains in a sentence what is drawn (it is also the chart's text for those who cannot see it). `labels` are the
    names below or beside the marks, `head` what they are ("Week from"). `top` is the end of the scale, where it is fixed (100 for shares).
    """

    title: str
    says: str
    kind: Kind
    head: str
    labels: tuple[str, ...]
    series: tuple[Series, ...]
    unit: str = ""
    top: float | None = None

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to draw: no number, or no mark that can be seen."""
        return all(value is None or (value == 0 and self.kind != "lines") for series in self.series for value in series.values)


@lru_cache(maxsize=_KEPT_FIGURES)
def figure(chart: Chart, *, follows_scheme: bool = False) -> Markup:
    """Write a chart as an HTML figure: caption, legend, picture, and the table behind a disclosure.

    The latest are kept: a reader who narrows a page to one rule changes some of its charts, not all.
    """
    caption = Markup("<figcaption><strong>{}</strong><span>{}</span></figcaption>").format(chart.title, chart.says)
    classes = "chart follows-scheme" if follows_scheme else "chart"
    if chart.is_empty:
        body = Markup('<p class="none">Nothing to show in this time.</p>')
    else:
        numbers = Markup(
            '<details><summary>Numbers</summary><div class="scroll" tabindex="0" role="region" aria-label="{}">{}</div></details>'
        )
        body = _legend(chart) + svg(chart) + numbers.format(f"Numbers: {chart.title}", table(chart))
    return Markup('<figure class="{}">{}{}</figure>\n').format(classes, caption, body)


def svg(chart: Chart) -> Markup:
    """Draw a chart as an SVG element without script, style and outside references; hovering a mark names it and its number."""
    drawn = _drawn(chart).render_tree()
    head = Markup('<svg xmlns="http://www.w3.org/2000/svg" viewBox="{}" role="img" aria-label="{}">')
    inside = Markup("".join(part for child in drawn for part in _written(child, chart, "")))  # noqa: S704 - escaped part by part
    return head.format(drawn.get("viewBox"), f"{chart.title}. {chart.says}") + inside + Markup("</svg>")


def table(chart: Chart) -> Markup:
    """Write the numbers of a chart as an HTML table."""
    heads = Markup().join(Markup('<th scope="col">{}</th>').format(name) for name in (chart.head, *_names(chart)))
    rows = Markup().join(_row(chart, place, label) for place, label in enumerate(chart.labels))
    return Markup("<table><thead><tr>{}</tr></thead><tbody>{}</tbody></table>").format(heads, rows)


def number(value: float | None, unit: str = "") -> str:
    """Write a number for people: `1,234`, `3.4 ms`, `41 %`; nothing where there is none."""
    if value is None:
        return ""
    whole = abs(round(value, 1)) >= _WHOLE_FROM or value == round(value)
    return f"{value:,.0f} {unit}".strip() if whole else f"{value:,.1f} {unit}".strip()


def _names(chart: Chart) -> Iterator[str]:
    for series in chart.series:
        yield series.name
        if series.intervals:
            yield "95 % interval"


def _row(chart: Chart, place: int, label: str) -> Markup:
    cells = "".join(f"<td>{html.escape(text)}</td>" for series in chart.series for text in _cells(series, place, chart.unit))
    return Markup('<tr><th scope="row">{}</th>{}</tr>').format(label, Markup(cells))  # noqa: S704 - escaped cell by cell


def _cells(series: Series, place: int, unit: str) -> Iterator[str]:
    yield number(series.values[place], unit)
    if series.intervals:
        interval = series.intervals[place]
        yield f"{number(interval[0])} to {number(interval[1], unit)}" if interval else ""


def _legend(chart: Chart) -> Markup:
    if len(chart.series) == 1:
        return Markup()
    names = Markup().join(
        Markup('<li class="color-{}">{}</li>').format(_color(chart, place), one.name) for place, one in enumerate(chart.series)
    )
    return Markup('<ul class="legend">{}</ul>').format(names)


def _color(chart: Chart, place: int) -> int:
    chosen = chart.series[place].color
    return place if chosen is None else chosen


class _Quick:
    """Draws as pygal does, without what is left out of the picture anyway (its style sheet), and looks attributes up in fewer steps.

    Those of the state of a rendering come first, as with pygal; a page asks some 20,000 times. A test shows that the picture is pygal's own.
    """

    def _draw(self) -> None:
        """Draw, and leave style and script out."""
        super()._draw()  # type: ignore[misc]
        self.svg.add_styles = self.svg.add_scripts = lambda: None

    def __getattribute__(self, name: str) -> Any:  # noqa: ANN401 - any attribute
        """Return an attribute of the state where there is one, else of the chart."""
        state = object.__getattribute__(self, "__dict__").get("state")
        if state is not None and name in state.__dict__ and name != "state" and not name.startswith("__"):
            return state.__dict__[name]
        return object.__getattribute__(self, name)


def _quick(kind: type) -> Any:  # noqa: ANN401 - a class of pygal
    return type(kind.__name__, (_Quick, kind), {})


_ALONE: Final = {"columns": _quick(pygal.Bar), "lines": _quick(pygal.Line), "bars": _quick(pygal.HorizontalBar)}
_STACKED: Final = {"columns": _quick(pygal.StackedBar), "lines": _quick(pygal.Line), "bars": _quick(pygal.HorizontalStackedBar)}


def _drawn(chart: Chart) -> Any:  # noqa: ANN401 - a chart of pygal
    """Set up pygal's chart; bars begin with the first name at the top."""
    lies = chart.kind == "bars"
    kinds = _ALONE if len(chart.series) == 1 else _STACKED
    drawn = kinds[chart.kind](
        width=_WIDTH,
        height=_AROUND_BARS + _BAR * len(chart.labels) if lies else _HEIGHT,
        style=Style(label_font_size=_FONT, major_label_font_size=_FONT),
        show_legend=False,
        js=(),
        margin=8,
        margin_right=_FONT * 2,
        dots_size=2.5,
        spacing=10,
        min_scale=3,
        max_scale=_MOST_LABELS - 2 if lies else _MOST_LABELS,
        include_x_axis=True,
        value_formatter=lambda value: number(value, chart.unit),
        allow_interruptions=True,
        show_x_guides=False,
        truncate_label=-1,
        **({} if chart.top is None else {"range": (0, chart.top)}),
        **({} if lies or len(chart.labels) <= _MOST_LABELS else {"show_minor_x_labels": False, "x_labels_major_count": _MOST_LABELS}),
    )
    turn = slice(None, None, -1) if lies else slice(None)
    drawn.x_labels = list(chart.labels[turn])
    for series in chart.series:
        drawn.add(series.name, [_value(series, place) for place in range(len(chart.labels))][turn])
    return drawn


def _value(series: Series, place: int) -> Any:  # noqa: ANN401 - a value as pygal takes it
    value, interval = series.values[place], series.intervals[place] if series.intervals else None
    return value if interval is None else {"value": value, "ci": {"low": interval[0], "high": interval[1]}}


def _written(node: Any, chart: Chart, series: str) -> Iterator[str]:  # noqa: ANN401 - an element of either tree library
    """Write what of pygal's drawing is a mark, a label or a line, as escaped text; all else (its script, style, dates) is left out.

    By hand, because there are a thousand of them on a page: `Markup.format` takes ten times as long.
    """
    if node.tag not in _SHAPES:
        return
    classes = str(node.get("class", "")).split()
    if _INVISIBLE in classes or any(name in classes for name in _LEFT_OUT):
        return
    place = next((int(name[6:]) for name in classes if name.startswith("serie-")), None)
    kept = _kept(node.attrib) if place is None else {**_kept(node.attrib), "class": f"series color-{_color(chart, place)}"}
    attributes = "".join(f' {name}="{html.escape(value)}"' for name, value in kept.items())
    series = series if place is None else chart.series[place].name
    told = {child.get("class"): child.text for child in node if child.tag == "desc"}
    title = f"<title>{html.escape(_told(told, series))}</title>" if told else ""
    inside = "".join(part for child in node for part in _written(child, chart, series))
    yield f"<{node.tag}{attributes}>{title}{html.escape(node.text or '')}{inside}</{node.tag}>"


def _kept(attributes: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in attributes.items() if name in _ATTRIBUTES and value}


def _told(told: Mapping[str, str], series: str) -> str:
    """Name one mark: `Week of 2 November, overridden: 12`."""
    return f"{told.get('x_label') or ''}, {series}: {told.get('value') or ''}".strip(", ")
