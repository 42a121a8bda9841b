"""Which findings share a card, in which order cards stand, and what each card holds beside its words."""

import json
from decimal import Decimal
from typing import Any

import pytest

from cds_service.cards import load_cards
from cds_service.cards.library import in_language
from cds_service.facts.registry import OrderFacts
from cds_service.hooks.answer import as_json
from cds_service.quantities import exactly
from cds_service.rulebook.types import Finding, Severity, Status
from cds_service.unknown import Unknown
from tests.cards_floor import CANONICAL, card_files, cards, chart, conflict, drug, exposure, finding, order_facts, record, words

SECOND = "MedicationRequest/mr-2"
OPIOID = order_facts(SECOND, drug=words("opioid", "opioid-agonist"), name="oxycodone", dose_class=words("not-applicable"))


def two_drafts() -> Any:  # noqa: ANN401
    opioid = drug(ingredient="oxycodone", classes=words("opioid"), name="oxycodone")
    return chart(record(), record({"id": "mr-2"}, "draftOrders.entry[1] MedicationRequest/mr-2", drug=opioid))


def rules_of(made: tuple[Any, ...]) -> list[list[str]]:
    return [[entry["rule"] for entry in card.extension["org.naltrexone-cds"]["findings"]] for card in made]


def test_information_about_one_order_is_one_card_with_a_section_each() -> None:
    made = cards([finding("titration-bedtime"), finding("off-label-low-dose", "fibromyalgia"), finding("titration-start", "schedule")])
    assert rules_of(made) == [["off-label-low-dose", "titration-start", "titration-bedtime"]]
    positions = [made[0].detail.index(title) for title in ("**Off-label use in fibromyalgia**", "**Usual schedule**", "**Time of day**")]
    assert positions == sorted(positions)
    assert made[0].summary.endswith("; see also: Usual schedule, Time of day.")
    assert made[0].indicator == "info"


def orders_of(made: tuple[Any, ...]) -> list[list[str]]:
    return [[entry["order"] for entry in card.extension["org.naltrexone-cds"]["findings"]] for card in made]


TWO_ORDERS = chart(record(), record({"id": "mr-2"}, "draftOrders.entry[1] MedicationRequest/mr-2"))


def test_information_about_two_orders_is_two_cards_in_the_order_of_the_drafts() -> None:
    further = order_facts(SECOND, starting_daily_dose=exactly(3, "mg/d"))
    made = cards([finding("titration-start", "above-usual-start", further), finding("titration-start", "above-usual-start")], TWO_ORDERS)
    assert orders_of(made) == [["MedicationRequest/mr-1"], [SECOND]]


def test_information_that_says_the_same_of_two_orders_is_one_card() -> None:
    off_label = [
        finding("off-label-low-dose", "fibromyalgia", facts)
        for facts in (order_facts(), order_facts(SECOND, daily_dose=exactly(3, "mg/d")))
    ]
    made = cards([*off_label, finding("titration-bedtime")], TWO_ORDERS)
    assert orders_of(made) == [["MedicationRequest/mr-1", "MedicationRequest/mr-1", SECOND]]
    assert "Inputs used: naltrexone, dose 4.5 mg a day, indication from the problem list; naltrexone, dose 3 mg a day" in made[0].detail
    assert made[0].detail.count("is off-label") == 1
    more = cards([*off_label, finding("titration-bedtime", facts=order_facts(SECOND))], TWO_ORDERS)
    assert orders_of(more) == [["MedicationRequest/mr-1"], [SECOND, SECOND]]


def test_a_warning_is_told_of_each_order() -> None:
    both = [finding("dose-mismatch", "product", facts, severity=Severity.WARNING) for facts in (order_facts(), order_facts(SECOND))]
    assert orders_of(cards(both, TWO_ORDERS)) == [["MedicationRequest/mr-1"], [SECOND]]


def test_warnings_have_a_card_each() -> None:
    made = cards(
        [finding("dose-mismatch", "product"), finding("titration-ceiling", severity=Severity.WARNING), finding("missing-indication")]
    )
    assert rules_of(made) == [["dose-mismatch"], ["titration-ceiling"], ["missing-indication"]]


def test_incomplete_findings_about_one_order_share_a_card_of_the_stronger_severity() -> None:
    unread = finding("incomplete-data", "naltrexone", order_facts(data_medications=words("failed")), severity=Severity.INFO)
    made = cards([finding("dose-unknown", facts=order_facts(daily_dose=Unknown("no-dose"))), unread, finding("titration-bedtime")])
    assert rules_of(made) == [["dose-unknown", "incomplete-data"], ["titration-bedtime"]]
    assert [card.indicator for card in made] == ["warning", "info"]


def test_incomplete_information_joins_the_information_about_its_order() -> None:
    unread = finding("incomplete-data", "opioid", order_facts(data_medications=words("failed")))
    assert rules_of(cards([finding("titration-bedtime"), unread])) == [["incomplete-data", "titration-bedtime"]]


def test_incomplete_findings_about_two_orders_have_a_card_each() -> None:
    warnings = [
        finding("incomplete-data", "naltrexone", order_facts(name), severity=Severity.WARNING)
        for name in ("MedicationRequest/mr-1", SECOND)
    ]
    assert len(cards(warnings, two_drafts())) == 2


def test_cards_stand_by_severity_then_priority_then_order() -> None:
    made = cards(
        [
            finding("titration-bedtime"),
            finding("dose-mismatch", "product"),
            finding("incomplete-data", "naltrexone", severity=Severity.WARNING),
            conflict(),
            finding("dose-mismatch", "product", order_facts(SECOND)),
        ],
        two_drafts(),
    )
    assert rules_of(made) == [["opioid-conflict"], ["incomplete-data"], ["dose-mismatch"], ["dose-mismatch"], ["titration-bedtime"]]
    assert [card.indicator for card in made] == ["critical", "warning", "warning", "warning", "info"]


@pytest.mark.parametrize("status", [Status.SILENT, Status.DRAFT, Status.RETIRED])
def test_findings_of_rules_that_are_not_active_are_not_shown(status: Status) -> None:
    assert cards([conflict(status=status)]) == ()


def test_no_findings_make_no_cards() -> None:
    assert cards([]) == ()


def test_one_conflict_card_for_both_directions_tells_a_pair_once() -> None:
    opioid_draft = exposure("oxycodone", "started-together", source=words("draft"))
    naltrexone_draft = exposure("naltrexone", "started-together", source=words("draft"), drug=words("naltrexone"))
    made = cards([conflict(opioid_draft), finding("opioid-on-naltrexone", "started-together", OPIOID, [naltrexone_draft])], two_drafts())
    assert rules_of(made) == [["opioid-conflict", "opioid-on-naltrexone"]]
    assert made[0].detail.count("Ordered together") == 1
    assert made[0].detail.partition("**References**")[0].count("oxycodone") == 1


def test_one_conflict_card_tells_two_directions_where_the_pairs_differ() -> None:
    on_naltrexone = finding("opioid-on-naltrexone", "in-use", OPIOID, [exposure("naltrexone tablets", drug=words("naltrexone"))])
    made = cards([conflict(exposure("methadone")), on_naltrexone], two_drafts())
    assert len(made) == 1
    assert "**Opioid in use: methadone" in made[0].detail
    assert "**In use: naltrexone tablets; ordered: oxycodone**" in made[0].detail
    assert made[0].detail.count("**Before going on**") == made[0].detail.count("**Pain relief on naltrexone**") == 1


def test_the_conflict_card_begins_with_the_strongest_and_has_its_severity() -> None:
    ended = exposure("tramadol", "recently-ended", Severity.WARNING)
    made = cards([conflict(ended, exposure("methadone"))])
    assert made[0].indicator == "critical"
    assert "methadone in use" in made[0].summary
    assert made[0].detail.index("methadone (") < made[0].detail.index("tramadol")


def test_two_products_of_one_drug_are_named_by_the_drug() -> None:
    table = {"medications.entry[0]": "oxycodone 5 mg tablet", "medications.entry[1]": "oxycodone 20 mg extended-release tablet"}
    listed = tuple(record({"id": place}, place, drug=drug(ingredient="oxycodone", name=name)) for place, name in table.items())
    met = [exposure(name, where=place) for place, name in table.items()]
    card = cards([conflict(*met)], chart(medications=listed))[0]
    assert card.detail.startswith("**Opioid in use: oxycodone (up to 10 days")
    assert "naltrexone" in card.summary.lower()


def test_of_several_fills_the_latest_is_told() -> None:
    fills = [
        exposure(
            "tramadol",
            "recently-ended",
            Severity.WARNING,
            days_since_last_dose=exactly(days, "d"),
            days_short_of_opioid_free=exactly(10 - days, "d"),
        )
        for days in (8, 3, 5)
    ]
    assert "tramadol (last covered day 3 days ago; label asks for up to 10 days, 7 days to go)" in cards([conflict(*fills)])[0].detail


def test_many_drugs_are_counted_in_the_summary_and_named_in_the_detail() -> None:
    names = ["oxycodone", "methadone", "fentanyl", "morphine", "tramadol"]
    card = cards([conflict(*map(exposure, names))])[0]
    assert "oxycodone, methadone, fentanyl and 2 more" in card.summary
    assert [name for name in names if name not in card.detail.split("\n\n")[0]] == []


def test_a_thousand_exposures_keep_the_detail_within_its_limit() -> None:
    met = [exposure(f"drug {number} {'[' * 70}") for number in range(1000)]
    card = cards([conflict(*met)])[0]
    assert len(card.detail) <= 20_000
    assert card.detail.rpartition("\n\n")[2].startswith("Basis: ")


def test_a_card_holds_what_the_specification_asks() -> None:
    card = as_json(cards([conflict()])[0])
    assert card["uuid"] == "00000000-0000-4000-8000-000000000001"
    assert card["source"] == {
        "label": "Naltrexone prescribing advice",
        "url": "https://dailymed.nlm.nih.gov/dailymed/drugInfo.cfm?setid=74087d2f-468d-4de1-a2fc-a489d0f2abef",
        "topic": {"system": f"{CANONICAL}/CodeSystem/topics", "code": "opioidconflict", "display": "Opioid and naltrexone together"},
    }
    assert card["selectionBehavior"] == "at-most-one"
    assert card["suggestions"][0]["uuid"] == "00000000-0000-4000-8000-000000000002"
    assert {tuple(reason) for reason in card["overrideReasons"]} == {("system", "code", "display")}
    assert {reason["system"] for reason in card["overrideReasons"]} == {f"{CANONICAL}/CodeSystem/override-reasons"}
    assert "opioid-not-taken" in [reason["code"] for reason in card["overrideReasons"]]
    assert all(link["type"] == "absolute" and link["url"].startswith("https://") and link["label"] for link in card["links"])


def test_a_gathered_card_has_the_topic_of_its_first_section_and_all_override_reasons_once() -> None:
    card = cards([finding("titration-bedtime"), finding("off-label-low-dose", "fibromyalgia"), finding("titration-ceiling")])[0]
    assert card.source.topic is not None
    assert card.source.topic.code == "offlabellowdose"
    codes = [reason.code for reason in card.overrideReasons]
    assert len(codes) == len(set(codes))
    assert {"off-label-discussed", "time-suits-patient", "tolerated-before"} <= set(codes)


def test_no_selection_behaviour_without_suggestions() -> None:
    assert "selectionBehavior" not in as_json(cards([finding("titration-bedtime")])[0])


DOSES = [
    (order_facts(), {"low": Decimal("4.5"), "high": Decimal("4.5")}, "low-dose"),
    (order_facts(daily_dose=exactly("50.0", "mg/d"), dose_class=words("standard")), {"low": 50, "high": 50}, "standard"),
    (order_facts(daily_dose=exactly("4500", "ug/d")), {"low": Decimal("4.5"), "high": Decimal("4.5")}, "low-dose"),
    (order_facts(has_steps=True, starting_daily_dose=exactly("1.5", "mg/d")), {"low": Decimal("1.5"), "high": Decimal("4.5")}, "low-dose"),
    (order_facts(has_steps=True, starting_daily_dose=exactly(6, "mg/d")), {"low": Decimal("4.5"), "high": 6}, "low-dose"),
    (order_facts(has_steps=True, starting_daily_dose=Unknown("no-dose")), {"low": Decimal("4.5"), "high": Decimal("4.5")}, "low-dose"),
    (order_facts(has_steps=False, starting_daily_dose=exactly(1, "mg/d")), {"low": Decimal("4.5"), "high": Decimal("4.5")}, "low-dose"),
    (order_facts(daily_dose=Unknown("no-dose"), dose_class=Unknown("no-dose")), "unknown", "unknown"),
    (order_facts(daily_dose=exactly(4, "mg")), "unknown", "low-dose"),
    (OrderFacts("MedicationRequest/mr-1", {}), "unknown", "unknown"),
]


@pytest.mark.parametrize(("facts", "dose", "dose_class"), DOSES)
def test_the_extension_says_what_was_found(facts: OrderFacts, dose: Any, dose_class: str) -> None:  # noqa: ANN401
    card = cards([finding("dose-mismatch", "product", facts)])[0]
    expected = {"rule": "dose-mismatch", "version": 1, "kind": "dose", "severity": "warning", "order": "MedicationRequest/mr-1", "dailyDoseMg": dose, "doseClass": dose_class}  # fmt: skip
    assert card.extension == {"org.naltrexone-cds": {"decision": "decision-1", "findings": [expected]}}
    json.dumps(card.extension, default=str)


@pytest.mark.parametrize(("profile", "present"), [("standard", True), ("sandbox", True), ("epic", False)])
def test_the_extension_is_left_out_for_a_client_that_cannot_take_it(profile: Any, present: bool) -> None:  # noqa: ANN401, FBT001
    card = cards([finding("titration-bedtime")], profile=profile)[0]
    assert (card.extension is not None) is present
    assert ("decision decision-1" in card.detail) is not present


def test_an_unknown_profile_is_served_as_standard() -> None:
    assert cards([conflict()], profile="other")[0].selectionBehavior == "at-most-one"  # type: ignore[arg-type]


def test_the_same_findings_give_the_same_cards() -> None:
    findings = [
        conflict(exposure(), exposure("methadone")),
        finding("off-label-low-dose", "fibromyalgia"),
        finding("dose-mismatch", "product"),
    ]
    assert cards(findings) == cards(findings)


def test_a_finding_whose_card_is_unknown_is_shown_all_the_same() -> None:
    card = cards([finding("titration-ceiling", card="no-such-card", title="Title of the <rule>")])[0]
    assert card.summary == "Please review this order: a safety rule fired whose text could not be shown."
    assert "Title of the &lt;rule&gt;" in card.detail
    assert "Basis: rule titration-ceiling v1" in card.detail
    assert [reason.code for reason in card.overrideReasons] == ["checked-elsewhere", "not-relevant"]


def test_a_finding_that_says_what_no_text_says_is_shown_all_the_same() -> None:
    assert "text could not be shown" in cards([finding("dose-mismatch", "something-new")])[0].detail


def test_a_text_that_meets_a_missing_threshold_gives_way_to_general_words() -> None:
    bare = finding("titration-start", "schedule")
    without = Finding(bare.rule, bare.severity, bare.says, bare.facts, (), {})
    assert "text could not be shown" in cards([without])[0].detail


def test_an_order_that_is_not_in_the_chart_gets_its_card_without_suggestions() -> None:
    card = cards([conflict(facts=order_facts("MedicationRequest/other"))])[0]
    assert (card.indicator, card.suggestions) == ("critical", ())


@pytest.mark.parametrize(("language", "chosen"), [("es-MX", 1), ("es", 1), ("es_MX", 1), ("pt-BR", 2), ("pt", 0), ("de", 0), ("", 0)])
def test_a_language_falls_back_to_its_own_family_and_then_to_english(language: str, chosen: int) -> None:
    assert in_language({"en": "0", "es": "1", "pt-BR": "2"}, language) == str(chosen)


def test_closing_words_that_meet_a_missing_threshold_are_left_out() -> None:
    files = card_files()
    files["opioid-conflict.yaml"] = files["opioid-conflict.yaml"].replace("Naltrexone can wait.", "Naltrexone can wait {{ limits.none }}.")
    card = cards([conflict()], shelf=load_cards(files, CANONICAL))[0]
    assert ("Before going on" in card.detail, "low doses included" in card.detail) == (False, True)


def test_a_rule_that_says_nothing_in_particular_gets_the_first_text_of_its_card() -> None:
    assert "**" not in cards([finding("titration-start", "")])[0].detail.partition("**References**")[0]
    assert "usual practice begins lower" in cards([finding("titration-start", "")])[0].detail


def test_the_inputs_of_each_order_are_told_once() -> None:
    made = cards([conflict(), conflict(facts=order_facts(SECOND, daily_dose=exactly(50, "mg/d")))], two_drafts())
    assert made[0].detail.endswith(
        "Inputs used: naltrexone, dose 4.5 mg a day, indication from the problem list; "
        "naltrexone, dose 50 mg a day, indication from the problem list; the medication list."
    )
