"""The page "Try it": samples, filled forms and pasted requests, what they become and what is kept of them (nothing)."""

import json
import logging
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from werkzeug.datastructures import MultiDict

from cds_service.advisor import PackAdvisor
from cds_service.app import create_app, sources_of
from cds_service.hooks.json_text import json_text
from cds_service.hooks.parse import read_call
from cds_service.service import ClientWishes, Decision, Pack, Wishes
from cds_service.settings import Settings
from cds_service.web.workbench.card_view import changes, markdown
from cds_service.web.workbench.order_form import mistakes, plain_name, request_of, sent_form
from cds_service.web.workbench.reason_view import order_views, rule_views
from cds_service.web.workbench.samples import Sample, read_samples, samples_file
from cds_service.web.workbench.try_it import laid_out
from tests.clinic import FIBROMYALGIA, LDN_CAPSULE, OXYCODONE, TABLET_50, TODAY, call, condition, dosage, listed, order
from tests.conftest import ROOT, ZONE
from tests.workbench_floor import NOON_THERE, bench_with

SAMPLES = {sample.id: sample for group in read_samples(samples_file()) for sample in group.samples}
CONFLICT = call(order(LDN_CAPSULE, dosage(4.5)), medications=[listed(OXYCODONE)], conditions=[condition(FIBROMYALGIA)])


@pytest.fixture(scope="module")
def bench(pack: Pack) -> FlaskClient:
    return bench_with(pack).test_client()


def decided(pack: Pack, sample: Sample) -> Decision:
    advisor = PackAdvisor(pack, ZONE, Wishes(), lambda: NOON_THERE)
    body = json_text(request_of(sample.form, TODAY)).encode()
    return advisor.explain(read_call(body, sample.form.hook), ClientWishes())


EXPECTED = {
    "first-low-dose": {"off-label-low-dose": "info", "titration-start": "info"},
    "starts-at-the-top": {"off-label-low-dose": "info", "titration-start": "info"},
    "titration-in-words": {"off-label-low-dose": "info"},
    "compounded-text-only": {"off-label-low-dose": "info", "titration-start": "info"},
    "large-step": {"off-label-low-dose": "info", "titration-step": "info"},
    "decimal-slip": {"dose-mismatch": "warning", "off-label-standard-dose": "info"},
    "standard-dose-on-tramadol": {"opioid-conflict": "critical", "dose-mismatch": "warning", "off-label-standard-dose": "info"},
    "oxycodone-drafted": {"opioid-on-naltrexone": "critical"},
    "soon-after-buprenorphine": {"opioid-conflict": "warning"},
    "sequestered": {"opioid-conflict": "critical", "off-label-low-dose": "info", "titration-start": "info"},
    "alcohol-tablets": {},
    "depot": {"depot-with-oral": "warning"},
    "liver-disease": {"liver-disease": "warning"},
    "list-not-sent": {"incomplete-data": "warning", "off-label-low-dose": "info"},
    "methylnaltrexone": {},
    "while-drafting": {"opioid-conflict": "critical"},
}


@pytest.mark.parametrize("name", EXPECTED)
def test_each_sample_shows_what_its_story_promises(name: str, pack: Pack) -> None:
    assert {finding.rule.id: finding.severity.word for finding in decided(pack, SAMPLES[name]).shown} == EXPECTED[name]


@pytest.mark.parametrize(("name", "rule"), [("pregnancy", "pregnancy-lactation"), ("fifteen-years-old", "children")])
def test_samples_of_patients_who_need_a_second_look_show_the_rule_for_them(name: str, rule: str, pack: Pack) -> None:
    assert rule in {finding.rule.id for finding in decided(pack, SAMPLES[name]).shown}


@pytest.mark.parametrize("name", SAMPLES)
def test_each_sample_has_a_page(name: str, bench: FlaskClient) -> None:
    response = bench.get(f"/workbench?sample={name}")
    assert (response.status_code, response.headers["Cache-Control"]) == (200, "no-store")


def test_an_unknown_sample_is_not_found_and_the_samples_are_shown(bench: FlaskClient) -> None:
    response = bench.get("/workbench?sample=<script>")
    assert response.status_code == 404
    assert "is none of these" in response.text
    assert "<script>" not in response.text.replace("<script src", "")


def test_samples_can_be_leafed_through(bench: FlaskClient) -> None:
    seen, name = [], next(iter(SAMPLES))
    while name not in seen:
        seen.append(name)
        [name] = re.findall(r'class="next" href="/workbench\?sample=([a-z0-9-]+)"', bench.get(f"/workbench?sample={name}").text)
    assert seen == list(SAMPLES)


def posted(request: object, **more: str) -> dict[str, str]:
    return {"what": "request", "request": request if isinstance(request, str) else json.dumps(request), **more}


def test_a_pasted_request_is_answered(bench: FlaskClient) -> None:
    response = bench.post("/workbench", data=posted(CONFLICT))
    assert response.status_code == 200
    assert "can precipitate withdrawal" in response.text


@pytest.mark.parametrize("path", sorted((ROOT / "fixtures/calls").glob("*.json")), ids=lambda path: path.stem)
def test_recorded_requests_can_be_pasted(path: Path, bench: FlaskClient) -> None:
    assert bench.post("/workbench", data=posted(path.read_text(encoding="utf-8"))).status_code == 200


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "an empty body"),
        ('{"hook": "order-sign",\n "context": }', "no strict JSON at line 2 column 13"),
        ('{"hook": "order-sign"}', "&#39;context&#39;"),
        ('{"hook": "patient-view", "context": {}}', "no hook that this service answers"),
        ("[]", "a list as body"),
    ],
)
def test_a_request_that_cannot_be_read_is_told_in_words_with_its_place(text: str, says: str, bench: FlaskClient) -> None:
    response = bench.post("/workbench", data=posted(text))
    assert response.status_code == 400
    assert says in response.text


def test_the_client_the_language_and_the_width_can_be_chosen(bench: FlaskClient) -> None:
    page = bench.get("/workbench?sample=standard-dose-on-tramadol&client=epic&language=es&width=phone").text
    assert 'class="ehr phone"' in page
    assert re.findall(r'<h3 id="card-[0-9]" lang="(..)">(\w+ \w+)', page)[:2] == [("es", "Naltrexona con"), ("en", "Naltrexone 50")]
    assert page.count("not written in Español yet") == 2
    assert "(at most one)" not in page
    assert "(at most one)" in bench.get("/workbench?sample=standard-dose-on-tramadol&client=nobody&language=xx&width=9").text


def test_a_filled_form_is_answered(bench: FlaskClient) -> None:
    fields = {
        "what": "form",
        "order-product": "naltrexone 50 mg tablet",
        "order-dose": "50",
        "order-unit": "mg",
        "order-frequency": "daily",
    }
    page = bench.post("/workbench", data={**fields, "medicine-1-product": "oxycodone 5 mg tablet", "medicine-1-days": "2"}).text
    assert "Naltrexone with oxycodone" in page


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({}, "order-product"),
        ({"order-product": "x", "order-dose": "4,5"}, "order-dose"),
        ({"order-product": "x", "order-dose": "1e9"}, "order-dose"),
        ({"order-product": "x", "age": "old"}, "age"),
        ({"order-product": "x", "age": "131"}, "age"),
        ({"order-product": "x", "medicine-2-product": "y", "medicine-2-days": "yesterday"}, "medicine-1-days"),
        ({"order-product": "x", "medicine-1-product": "y", "medicine-1-days": "1", "medicine-1-supply": "-1"}, "medicine-1-supply"),
        ({"order-product": "x", "medicine-1-product": "y", "medicine-1-days": "1", "medicine-1-dose": "some"}, "medicine-1-dose"),
    ],
)
def test_a_form_with_a_mistake_says_which_field_and_keeps_what_was_written(
    fields: Mapping[str, str], field: str, bench: FlaskClient
) -> None:
    assert [mistake.field for mistake in mistakes(sent_form(MultiDict(fields)))] == [field]
    response = bench.post("/workbench", data={"what": "form", **fields})
    assert response.status_code == 400
    assert f'href="#{field}"' in response.text
    assert all(f'value="{value}"' in response.text for value in fields.values())


HOSTILE = '"><img src=x onerror=alert(1)><script>alert(1)</script>{{ 7 * 7 }}[a](javascript:alert(1))'


def test_hostile_text_stays_text(bench: FlaskClient) -> None:
    request = json.loads(json.dumps(CONFLICT))
    drug = request["context"]["draftOrders"]["entry"][0]["resource"]
    drug["medicationCodeableConcept"]["text"] += HOSTILE
    drug["dosageInstruction"][0]["text"] = HOSTILE
    drug["reasonCode"] = [{"text": HOSTILE}]
    fields = {"order-product": f"naltrexone {HOSTILE}", "text": HOSTILE, "reason": HOSTILE, "problem-1": HOSTILE}
    for page in (bench.post("/workbench", data=posted(request)).text, bench.post("/workbench", data={"what": "form", **fields}).text):
        assert "<img src=x" not in page
        assert "<script>" not in page
        assert 'href="javascript' not in page
        assert "{{ 7 * 7 }}" in page


def test_markdown_is_rendered_and_markup_in_it_is_not() -> None:
    html = markdown("**b** <b>x</b> ![p](https://e.example/p.png) [l](https://e.example) [j](javascript:x)\n\n<script>x</script>")
    assert "<strong>b</strong>" in html
    assert "<b>" not in html
    assert "<script" not in html
    assert "<img" not in html
    assert "javascript" not in html.partition("href")[2].partition(">")[0]
    assert 'href="https://e.example" rel="noopener noreferrer" target="_blank"' in html


def test_nothing_of_a_pasted_request_is_recorded_or_logged(pack: Pack, caplog: pytest.LogCaptureFixture) -> None:
    recorded: list[object] = []
    advisor = PackAdvisor(pack, ZONE, Wishes(), lambda: NOON_THERE, record=lambda *decision: recorded.append(decision))
    client = create_app(Settings(), advisor, sources=sources_of(advisor, Settings())).test_client()
    request = json.loads(json.dumps(CONFLICT).replace("p1", "secret-patient"))
    with caplog.at_level(logging.DEBUG):
        assert client.post("/workbench", data=posted(request)).status_code == 200
    assert recorded == []
    assert "secret-patient" not in caplog.text
    client.post("/cds-services/naltrexone-order-sign", json=request)
    assert len(recorded) == 1


def test_the_workbench_reads_no_fhir_server(pack: Pack) -> None:
    class NeverAsked:
        def complete(self, *_: object) -> None:
            raise AssertionError("a FHIR server was asked")

    advisor = PackAdvisor(pack, ZONE, Wishes(), lambda: NOON_THERE, reads=NeverAsked())  # type: ignore[arg-type]
    request = {**call(order(LDN_CAPSULE, dosage(4.5)), prefetch={"conditions": ...}), "fhirServer": "http://127.0.0.1:1/fhir"}
    client = create_app(Settings(), advisor, sources=sources_of(advisor, Settings())).test_client()
    page = client.post("/workbench", data=posted(request))
    assert page.status_code == 200
    assert "Missing" in page.text


def test_a_body_over_the_limit_is_refused(pack: Pack) -> None:
    client = bench_with(pack, settings=Settings(max_body_bytes=100_000)).test_client()
    assert client.post("/workbench", data=posted("x" * 90_000)).status_code == 400
    assert client.post("/workbench", data=posted("x" * 110_000)).status_code == 413


def test_bytes_that_are_no_text_are_refused(bench: FlaskClient) -> None:
    form = "application/x-www-form-urlencoded"
    assert bench.post("/workbench", data=b"what=request&request=\xff\xfe", content_type=form).status_code == 400
    assert bench.post("/workbench", data=b"what=request&request=%FF%FE", content_type=form).status_code == 400


def test_a_request_of_a_megabyte_is_answered(bench: FlaskClient) -> None:
    assert bench.post("/workbench", data=posted({**CONFLICT, "extension": {"x": "y" * 1_000_000}})).status_code == 200


def test_rules_that_fired_stand_first_and_the_others_say_why_not(pack: Pack) -> None:
    rules = rule_views(decided(pack, SAMPLES["standard-dose-on-tramadol"]))
    assert [rule.severity for rule in rules[:3]] == ["critical", "warning", "info"]
    assert rules[0].fate == "on a card"
    assert {rule.id: rule.why for rule in rules}["off-label-low-dose"] == "highest daily dose at most low dose top (6 mg/d)? No: 50 mg/d"
    assert all(rule.why for rule in rules if rule.state == "quiet")


def test_a_trace_names_the_medicine_that_it_looks_at_and_what_each_line_rests_on(bench: FlaskClient) -> None:
    page = bench.get("/workbench?sample=soon-after-buprenorphine").text
    assert re.search(r"<code>exposure 0</code> <span class=.found.>Suboxone", page)
    assert re.search(r"<code>is_current is true</code>.*prefetch.recentMedications.entry\[0\] MedicationRequest/medicine-1", page)


def test_each_rule_leads_to_its_own_page(bench: FlaskClient) -> None:
    links = set(re.findall(r'href="(/workbench/rules/[^"]+)"', bench.get("/workbench?sample=depot").text))
    assert len(links) > 10
    assert {bench.get(link).status_code for link in links} == {200}


def test_information_that_waits_for_the_signature_says_so(pack: Pack) -> None:
    fates = {rule.id: rule.fate for rule in rule_views(decided(pack, SAMPLES["while-drafting"]))}
    assert fates["opioid-conflict"] == "on a card"


def test_doses_and_ages_are_written_in_words(pack: Pack) -> None:
    [order_view] = order_views(decided(pack, SAMPLES["standard-dose-on-tramadol"]))
    values = {fact.name: fact.value for fact in order_view.facts}
    assert (values["daily dose"], values["age"], values["is first"]) == ("50 mg a day", "51 years", "yes")
    assert (values["time between doses"], values["time on previous dose"]) == ("1 day", "no earlier order")
    assert order_view.exposures[0]["days_since_last_dose"].value == "0 days"


def test_the_difference_of_two_resources_names_each_element() -> None:
    found = changes({"a": 1, "b": [{"c": "x"}], "d": True}, {"a": 1, "b": [{"c": "y"}, {"c": "z"}]})
    assert [(one.path, one.before, one.after) for one in found] == [("b[0].c", "x", "y"), ("d", "true", ""), ("b[1].c", "", "z")]


def test_json_is_laid_out_with_the_digits_that_were_sent(bench: FlaskClient) -> None:
    text = json.dumps(CONFLICT).replace('"value": 4.5', '"value": 4.50')
    assert "&#34;value&#34;: 4.50" in bench.post("/workbench", data=posted(text)).text
    assert json.loads(laid_out(CONFLICT)) == CONFLICT
    assert laid_out({}) == "{}"


def test_a_form_becomes_the_request_that_an_ehr_would_send() -> None:
    request = request_of(SAMPLES["soon-after-buprenorphine"].form, TODAY)
    [entry] = request["prefetch"]["recentMedications"]["entry"]
    assert (entry["resource"]["authoredOn"], entry["resource"]["status"]) == ("2026-10-18", "completed")
    assert entry["resource"]["dispenseRequest"]["expectedSupplyDuration"]["value"] == 30
    assert request["prefetch"]["activeMedications"]["entry"] == []
    [draft] = request["context"]["draftOrders"]["entry"]
    assert draft["resource"]["medicationCodeableConcept"] == TABLET_50
    assert draft["resource"]["reasonCode"][0]["coding"][0]["code"] == "F11.20"
    assert request_of(SAMPLES["list-not-sent"].form, TODAY)["prefetch"].keys() == {"patient", "conditions"}


def test_days_of_a_sample_are_counted_from_the_day_it_is_looked_at(pack: Pack) -> None:
    advisor = PackAdvisor(pack, ZONE, Wishes(), lambda: NOON_THERE.replace(year=2031))
    page = (
        create_app(Settings(), advisor, sources=replace(sources_of(advisor, Settings())))
        .test_client()
        .get("/workbench?sample=large-step")
        .text
    )
    assert "2031-11-22" in page
    assert "Size of the step" in page


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("Fibromyalgia [M79.7]", "Fibromyalgia"),
        ("naltrexone [50 mg] tablet  [1483744] ", "naltrexone [50 mg] tablet"),
        ("[M79.7]", ""),
        ("Fibromyalgia [here]", "Fibromyalgia [here]"),
        ("Fibromyalgia [M79.7", "Fibromyalgia [M79.7"),
        ("Fibromyalgia M79.7]", "Fibromyalgia M79.7]"),
        ("Fibromyalgia [M79.7] and more", "Fibromyalgia [M79.7] and more"),
    ],
)
def test_a_code_in_brackets_behind_a_name_is_no_part_of_it(written: str, name: str) -> None:
    assert plain_name(written) == name
