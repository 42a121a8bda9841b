"""The page "Use" in a real browser: full and empty, light and dark, phone and desktop, keyboard alone."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from cds_service.service import Pack
from cds_service.store.engine import Store
from tests.browser_floor import Reader, reader, running
from tests.store_floor import opened
from tests.test_workbench_use import a_day, with_store
from tests.workbench_floor import bench_with


def stored(folder: Path, pack: Pack, *, is_empty: bool) -> Iterator[str]:
    def fill(store: Store) -> None:
        store.migrate()
        if not is_empty:
            a_day(store)

    with opened("sqlite", folder) as store:
        fill(store)
        with running(bench_with(pack, partial(with_store, store, pack))) as address:
            yield address


@pytest.fixture(scope="module")
def base(pack: Pack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    yield from stored(tmp_path_factory.mktemp("use"), pack, is_empty=False)


@pytest.fixture
def person(browser: Browser, base: str) -> Iterator[Reader]:
    with reader(browser, base) as one:
        yield one


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_is_without_fault(scheme: str, browser: Browser, base: str) -> None:
    with reader(browser, base, color_scheme=scheme) as person:
        page = person.open("/workbench/use?period=week")
        page.evaluate("for (const one of document.querySelectorAll('details')) one.open = true")
        assert person.faults() == []
        person.picture(f"use-{scheme}", whole=True)


def test_an_empty_page_is_without_fault(browser: Browser, pack: Pack, tmp_path: Path) -> None:
    for base in stored(tmp_path, pack, is_empty=True):
        with reader(browser, base) as person:
            person.open("/workbench/use")
            assert person.faults() == []
            person.picture("use-empty")


def test_charts_are_drawn_and_said(person: Reader) -> None:
    page = person.open("/workbench/use")
    drawn = page.locator("figure.chart svg[role=img]")
    assert drawn.count() == page.locator("figure.chart summary").count() > 0
    assert page.locator("figure.chart .series rect").first.evaluate("one => getComputedStyle(one).fill") == "rgb(0, 114, 178)"


def test_the_keyboard_alone_narrows_the_page(person: Reader) -> None:
    page = person.open("/workbench/use")
    page.locator("#client").focus()
    page.keyboard.type("ehr")
    for _ in range(9):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.tagName") == "BUTTON":
            break
    page.keyboard.press("Enter")
    expect(page.locator("#client")).to_have_value("ehr")
    expect(page.locator(".figures dd").first).to_have_text("3")
    assert "client=ehr" in page.url


def test_a_numbers_table_opens_from_the_keyboard(person: Reader) -> None:
    page = person.open("/workbench/use")
    page.locator("figure.chart summary").first.focus()
    page.keyboard.press("Enter")
    expect(page.locator("figure.chart table").first).to_be_visible()
