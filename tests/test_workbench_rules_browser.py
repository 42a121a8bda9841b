"""The pages "Rules" in a real browser: both widths, light and dark, keyboard alone, nothing refused, nothing inaccessible."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from cds_service.service import Pack
from tests.browser_floor import Reader, reader, running
from tests.conftest import ROOT
from tests.workbench_floor import bench_with

PAGES = {
    "rules": "/rules",
    "rule": "/rules/opioid-conflict",
    "value-set": "/value-sets/fibromyalgia",
    "drug-class": "/drug-classes/opioid-agonist",
    "references": "/references",
    "source-attributes": "/source-attributes",
}

RULES = [path for path in (ROOT / "rules/naltrexone").glob("*.yaml") if not path.name.endswith(".test.yaml")]
ON_TRIAL = [path for path in RULES if "status: silent" in path.read_text(encoding="utf-8")]


@pytest.fixture(scope="module")
def base(pack: Pack) -> Iterator[str]:
    with running(bench_with(pack)) as address:
        yield address


@pytest.fixture
def person(browser: Browser, base: str) -> Iterator[Reader]:
    with reader(browser, base) as one:
        yield one


@pytest.mark.parametrize("name", PAGES)
def test_each_page_is_without_fault(name: str, person: Reader) -> None:
    person.open(f"/workbench{PAGES[name]}")
    assert person.faults() == []
    person.picture(name, whole=name != "source-attributes")


@pytest.mark.parametrize("name", ["rules", "rule"])
def test_colours_are_legible_in_the_dark(name: str, browser: Browser, base: str) -> None:
    with reader(browser, base, color_scheme="dark") as person:
        person.open(f"/workbench{PAGES[name]}")
        assert person.faults() == []
        person.picture(f"{name}-dark")


def test_a_rule_is_found_and_opened_with_the_keyboard_alone(person: Reader) -> None:
    page = person.open("/workbench/rules")
    page.locator("#find").focus()
    page.keyboard.type("silent")
    expect(page.locator("#found")).to_have_text(f"{len(ON_TRIAL)} of {len(RULES)} rules")
    for _ in range(9):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.closest('tbody') !== null"):
            break
    page.keyboard.press("Enter")
    expect(page.locator(".lede")).to_contain_text("On trial")
    assert person.complaints == []
