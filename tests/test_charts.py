"""Charts are pictures without script or style of their own, with a table that says the same."""

import re
from xml.etree import ElementTree as ET

import pytest

from cds_service import charts
from cds_service.charts import STYLESHEET, Chart, Kind, Series, figure, number, svg, table

WEEKS = ("2 November", "9 November", "16 November")
HOSTILE = '</svg><script>alert(1)</script>&"'


def chart(kind: Kind = "columns", *series: Series, labels: tuple[str, ...] = WEEKS, unit: str = "") -> Chart:
    return Chart("A title", "What is drawn.", kind, "Week from", labels, series or (Series("cards", (3, None, 12)),), unit)


def marks(kind: Kind, *series: Series) -> list[tuple[str, str]]:
    """The marks of a chart: what they are called, and their text for a mouse that rests on them."""
    root = ET.fromstring(svg(chart(kind, *series)))  # noqa: S314 - our own text
    name = "{http://www.w3.org/2000/svg}"
    return [
        (mark.tag.removeprefix(name), found.text or "")
        for group in root.iter(f"{name}g")
        if (found := group.find(f"{name}title")) is not None
        for mark in group
        if mark.tag in {f"{name}rect", f"{name}circle"}
    ]


@pytest.mark.parametrize("kind", ["columns", "lines", "bars"])
@pytest.mark.parametrize("number_of_series", [1, 2, 5])
def test_a_picture_holds_neither_script_nor_style_nor_address(kind: Kind, number_of_series: int) -> None:
    drawn = svg(chart(kind, *(Series(f"s{n}", (1, 2, 3)) for n in range(number_of_series))))
    assert re.findall(r"<script|<style|style=|href|<!--|url\(|on[a-z]+=", drawn) == []
    assert set(re.findall(r"<([a-z]+)", drawn)) <= {"svg", "g", "rect", "path", "circle", "text", "title"}


@pytest.mark.parametrize(("kind", "shape"), [("columns", "rect"), ("lines", "circle"), ("bars", "rect")])
def test_each_number_is_a_mark_that_names_itself(kind: Kind, shape: str) -> None:
    assert sorted(marks(kind)) == [(shape, "16 November, cards: 12"), (shape, "2 November, cards: 3")]


def test_bars_begin_at_the_top() -> None:
    drawn = svg(chart("bars", Series("cards", (1, 2, 3))))
    heights = {label: float(re.search(rf'y="([0-9.]+)"[^>]*>{label}<', drawn).group(1)) for label in WEEKS}  # type: ignore[union-attr]
    assert heights[WEEKS[0]] < heights[WEEKS[1]] < heights[WEEKS[2]]


def test_the_same_chart_is_drawn_the_same() -> None:
    assert svg(chart()) == svg(chart())


@pytest.mark.parametrize("kind", ["columns", "lines", "bars"])
@pytest.mark.parametrize("number_of_series", [1, 3])
def test_a_picture_is_the_one_that_pygal_draws_by_itself(kind: Kind, number_of_series: int, monkeypatch: pytest.MonkeyPatch) -> None:
    one = chart(kind, *(Series(f"s{n}", (1, 25, 3), ((0, 2), (20, 30), (1, 5))) for n in range(number_of_series)))
    quick = svg(one)
    monkeypatch.delattr(charts._Quick, "__getattribute__")  # noqa: SLF001 - what must make no difference
    assert svg(one) == quick


@pytest.mark.parametrize("kind", ["columns", "lines", "bars"])
def test_names_are_inert(kind: Kind) -> None:
    written = figure(Chart(HOSTILE, HOSTILE, kind, HOSTILE, (HOSTILE, "b"), (Series(HOSTILE, (1, 2)), Series("two", (1, 2)))))
    assert "<script" not in written
    assert written.count("</svg>") == 1


def test_the_picture_has_a_text_for_those_who_cannot_see_it() -> None:
    assert 'role="img" aria-label="A title. What is drawn."' in svg(chart())


def test_the_table_says_all_numbers_with_unit_and_interval() -> None:
    written = table(chart("bars", Series("rate", (41.0, None, 3.44), ((36.0, 46.0), None, (0.0, 9.5))), unit="%"))
    assert re.findall(r"<t[hd](?: [^>]*)?>([^<]*)", written) == [
        *("Week from", "rate", "95 % interval"),
        *("2 November", "41 %", "36 to 46 %"),
        *("9 November", "", ""),
        *("16 November", "3.4 %", "0 to 9.5 %"),
    ]


def test_a_figure_has_caption_picture_and_table_and_a_legend_where_there_are_several_series() -> None:
    one, two = figure(chart()), figure(chart("columns", Series("a", (1, 2, 3)), Series("b", (1, 2, 3))), follows_scheme=True)
    assert [part in one for part in ("<figcaption>", "<svg", "<table", "legend")] == [True, True, True, False]
    assert '<ul class="legend"><li class="color-0">a</li><li class="color-1">b</li></ul>' in two
    assert two.startswith('<figure class="chart follows-scheme">')


def test_a_figure_without_numbers_says_so() -> None:
    written = figure(chart("lines", Series("cards", (None, None, None))))
    assert "Nothing to show in this time." in written
    assert "<svg" not in written


@pytest.mark.parametrize(
    ("value", "unit", "written"),
    [
        (None, "ms", ""),
        (1234, "", "1,234"),
        (3.44, "ms", "3.4 ms"),
        (12.6, "ms", "13 ms"),
        (3.0, "%", "3 %"),
        (9.96, "ms", "10 ms"),
        (0, "", "0"),
    ],
)
def test_numbers_are_written_for_people(value: float | None, unit: str, written: str) -> None:
    assert number(value, unit) == written


def test_the_stylesheet_touches_nothing_but_charts() -> None:
    selectors = re.findall(r"(?:^|})\s*([^{}@]+)\{", STYLESHEET.replace("@media (prefers-color-scheme: dark) {", "}"))
    assert selectors
    assert {selector for group in selectors for selector in group.split(",") if not selector.strip().startswith(".chart")} == set()


@pytest.mark.parametrize("place", range(5))
def test_each_series_has_its_colour(place: int) -> None:
    assert f".chart svg .color-{place} {{" in STYLESHEET
