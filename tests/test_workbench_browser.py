"""The page "Try it" in a real browser: each sample, both widths, keyboard alone, nothing refused, nothing inaccessible."""

import json
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from cds_service.service import Pack
from cds_service.web.workbench.samples import read_samples, samples_file
from tests.browser_floor import Reader, reader, running
from tests.clinic import call, concept, condition, listed, order
from tests.workbench_floor import bench_with

SAMPLES = [sample.id for group in read_samples(samples_file()) for sample in group.samples]


@pytest.fixture(scope="module")
def base(pack: Pack) -> Iterator[str]:
    with running(bench_with(pack)) as address:
        yield address


@pytest.fixture
def person(browser: Browser, base: str) -> Iterator[Reader]:
    with reader(browser, base) as one:
        yield one


def test_the_first_page_is_without_fault(person: Reader) -> None:
    person.open("/workbench")
    person.page.locator("#own > summary").click()
    person.page.locator("#paste > summary").click()
    assert person.faults() == []
    person.picture("try-it")


@pytest.mark.parametrize("sample", SAMPLES)
def test_each_sample_is_without_fault(sample: str, person: Reader) -> None:
    page = person.open(f"/workbench?sample={sample}")
    page.evaluate("for (const one of document.querySelectorAll('details')) one.open = true")
    assert person.faults(".ehr") == []
    person.picture(sample)


def test_facts_and_traces_are_without_fault(person: Reader) -> None:
    page = person.open("/workbench?sample=list-not-sent")
    page.evaluate("for (const one of document.querySelectorAll('#facts details, .rule:first-of-type, #messages details')) one.open = true")
    assert person.faults() == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_colours_are_legible_in_light_and_dark(scheme: str, browser: Browser, base: str) -> None:
    with reader(browser, base, color_scheme=scheme) as person:
        person.open("/workbench?sample=standard-dose-on-tramadol")
        assert person.faults(".answer") == []
        person.picture(f"cards-{scheme}", whole=True)
        person.open("/workbench")
        assert person.faults("main") == []
        person.picture(f"samples-{scheme}", whole=True)


def focused(page: Page) -> str:
    """Name the element that has the focus: its text, its label or its id."""
    name: str = page.evaluate("(document.activeElement.textContent || document.activeElement.id || '').trim().split('\\n')[0]")
    return name


def test_the_keyboard_alone_leads_from_the_skip_link_to_a_sample_and_into_its_trace(person: Reader) -> None:
    page = person.open("/workbench")
    page.keyboard.press("Tab")
    assert focused(page) == "Skip to the content"
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator("h1")).to_have_text("First low dose for fibromyalgia")
    page.locator("#rules summary").first.focus()
    page.keyboard.press("Enter")
    expect(page.locator("#rules details").first).to_have_attribute("open", "")


def test_the_keyboard_reaches_every_control_and_leaves_the_page_again(person: Reader) -> None:
    page = person.open("/workbench?sample=starts-at-the-top")
    count = page.locator("a[href], summary, select, button").evaluate_all("all => all.filter(one => one.checkVisibility()).length")
    reached = set()
    for _ in range(count + 5):
        page.keyboard.press("Tab")
        place = page.evaluate("[...document.querySelectorAll('a[href], summary, select, button')].indexOf(document.activeElement)")
        if place in reached:
            break
        reached.add(place)
    assert len(reached - {-1}) == count


def test_focus_is_visible(person: Reader) -> None:
    page = person.open("/workbench")
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"


def test_an_order_is_filled_in_and_its_cards_appear(person: Reader) -> None:
    page = person.open("/workbench")
    page.locator("#own > summary").click()
    page.get_by_label("Drug or product").fill("naltrexone 50 mg tablet")
    page.get_by_label("Dose", exact=True).first.fill("50")
    page.locator("#order-frequency").select_option("daily")
    page.get_by_label("Reason on the order").fill("Fibromyalgia")
    page.get_by_label("Medicine 1", exact=True).fill("oxycodone 5 mg tablet")
    page.locator("#medicine-1-days").fill("3")
    page.locator("#own button[type=submit]").click()
    expect(page.locator("h1")).to_have_text("Your order")
    assert page.locator(".card .card-head").first.inner_text().strip() == "Critical"
    assert person.faults(".answer") == []


def test_a_suggestion_shows_what_it_would_change(person: Reader) -> None:
    page = person.open("/workbench?sample=starts-at-the-top")
    page.locator(".offer summary").first.click()
    expect(page.locator(".offer ins").first).to_be_visible()


def test_the_answer_is_copied_at_a_click(browser: Browser, base: str) -> None:
    with reader(browser, base) as person:
        person.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
        page = person.open("/workbench?sample=starts-at-the-top")
        page.locator("#messages summary").nth(1).click()
        page.locator("button[data-copies=answer-json]").click()
        assert page.evaluate("navigator.clipboard.readText()") == page.locator("#answer-json").text_content()


HOSTILE = '"><img src=x onerror=alert(1)><script>alert(1)</script><svg onload=alert(1)>[x](javascript:alert(1))'


def test_hostile_chart_text_is_inert(person: Reader) -> None:
    opened: list[str] = []
    person.page.on("dialog", lambda dialog: opened.append(dialog.message))
    request = call(
        order(concept(f"naltrexone 50 mg tablet {HOSTILE}"), {"text": HOSTILE}, reason=concept(HOSTILE)),
        medications=[listed(concept(f"oxycodone {HOSTILE}"))],
        conditions=[condition(concept(HOSTILE))],
    )
    page = person.open("/workbench")
    page.locator("#paste > summary").click()
    page.locator("#request").fill(json.dumps(request))
    page.locator("#request-form button").click()
    expect(page.locator("h1")).to_have_text("Your request")
    page.evaluate("for (const one of document.querySelectorAll('details')) one.open = true")
    assert page.locator("main img, main script, main svg[onload], main a[href^=javascript]").count() == 0
    assert (opened, person.faults(".ehr")) == ([], [])


def test_a_page_of_another_site_cannot_send_a_form_here(person: Reader) -> None:
    page = person.page
    page.goto("data:text/html,<title>elsewhere</title>")
    page.set_content(f"<form method=post action='{person.base}/workbench'><input name=what value=request><button>Send</button></form>")
    with page.expect_response(f"{person.base}/workbench") as answered:
        page.locator("button").click()
    assert answered.value.status == 403


def test_without_scripts_everything_can_still_be_reached(browser: Browser, base: str) -> None:
    with reader(browser, base) as person:
        context = browser.new_context(java_script_enabled=False)
        page = context.new_page()
        page.goto(f"{person.base}/workbench?sample=standard-dose-on-tramadol")
        page.locator("select[name=language]").select_option("es")
        page.locator(".view button").click()
        expect(page.locator(".card h3").first).to_contain_text("abstinencia")
        context.close()
