"""Card files: what is wrong in them is told with its place, everything at once; a language is only files."""

import json
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import jsonschema
import pytest

from cds_service.cards import card_schema, load_cards, rule_problems, unused_cards
from cds_service.cards.crosscheck import says_of
from cds_service.errors import RulebookInvalid
from cds_service.located import as_plain, read_yaml
from cds_service.rulebook.types import Rule
from tests.cards_floor import CANONICAL, ROOT, card_files, cards, finding, library, rules

CARD = """id: one-card
title: One card
texts:
  en:
    sections:
      default:
        title: Title
        summary: "A summary for {{ order.name }}."
        body: |
          A body with {{ limits.top }}.
override_reasons: [will-monitor]
"""
Change = Callable[[str], str]


def with_card(text: str, name: str = "one-card.yaml") -> dict[str, str]:
    shared = {key: value for key, value in card_files().items() if key in {"library.yaml", "override-reasons.yaml"}}
    return {**shared, name: text}


def problems(files: dict[str, str]) -> list[str]:
    with pytest.raises(RulebookInvalid) as refused:
        load_cards(files, CANONICAL)
    return [str(problem) for problem in refused.value.problems]


def test_the_card_of_these_tests_is_right() -> None:
    assert list(load_cards(with_card(CARD), CANONICAL).cards) == ["one-card"]


OFFER = "suggestions:\n  - kind: {kind}\n    says: [default]\n    drugs: [x]\n    never_drugs: [y]\n    texts: {{en: {{label: Label, description: Description}}}}\n"
BROKEN: list[tuple[Change, list[str]]] = [
    (lambda text: text.replace("title: One card\n", ""), ["one-card.yaml:1:1 CARD-001 expected a member 'title'"]),
    (lambda text: text + "override_reason: []\n", ["one-card.yaml:12:1 CARD-002 no member 'override_reason' here; did you mean 'override_reasons'?"]),
    (lambda text: text.replace("[will-monitor]", "will-monitor"), ["one-card.yaml:11:19 CARD-001 expected a list"]),
    (lambda text: text.replace("[will-monitor]", "[will-moniter]"), ["one-card.yaml:11:20 CARD-007 no override reason 'will-moniter' in override-reasons.yaml; did you mean 'will-monitor'?"]),
    (lambda text: text.replace("title: One card", "title: {en: One card}"), ["one-card.yaml:2:8 CARD-001 expected a text"]),
    (lambda text: text.replace("title: One card", "title: yes\ntopic: true"), ["one-card.yaml:3:8 CARD-001 expected letters and digits alone"]),
    (lambda text: text.replace("title: One card", "title: ''"), ["one-card.yaml:2:8 CARD-001 expected a text"]),
    (lambda text: text.replace("title: One card", "title: One card\ntopic: one-card"), ["one-card.yaml:3:8 CARD-001 expected letters and digits alone, found 'one-card'"]),
    (lambda text: text.replace("title: One card", "title: One card\ngathered: sinning"), ["one-card.yaml:3:11 CARD-001 'sinning' is not one of finding, order, signing; did you mean 'signing'?"]),
    (lambda text: text.replace("title: One card", "title: One card\nsource: {label: x, url: 'http://x.example'}"), ["one-card.yaml:3:25 CARD-001 expected an absolute https address, found 'http://x.example'"]),
    (lambda text: text.replace("id: one-card", "id: other-card"), ["one-card.yaml:1:5 CARD-003 the id 'other-card' is not the name of the file"]),
    (lambda text: text.replace("  en:\n", "  es:\n"), ["one-card.yaml:4:3 CARD-004 no English text ('en'), which every other language falls back to"]),
    (lambda text: text.replace("  en:\n", "  English:\n"), ["one-card.yaml:4:3 CARD-001 expected a key of small letters, digits and hyphens", "one-card.yaml:4:3 CARD-004 no English text ('en'), which every other language falls back to"][:1]),
    (lambda text: text.replace('    sections:\n      default:\n        title: Title\n        summary: "A summary for {{ order.name }}."\n        body: |\n          A body with {{ limits.top }}.', "    sections: none"), ["one-card.yaml:5:15 CARD-001 expected a mapping"]),
    (lambda text: text.replace("sections:\n      default:", "sections:\n      default: x\n      other:"), ["one-card.yaml:6:16 CARD-001 expected a mapping"]),
    (lambda text: text.replace("{{ order.name }}", "{{ order.nmae }}"), ["one-card.yaml:8:18 CARD-005 template: 'dict object' has no attribute 'nmae'"]),
    (lambda text: text.replace("{{ order.name }}", "{{ patient }}"), ["one-card.yaml:8:18 CARD-005 template: 'patient' is undefined"]),
    (lambda text: text.replace("{{ limits.top }}", "{% if %}"), ["one-card.yaml:9:15 CARD-005 template: Expected an expression, got 'end of statement block' (line 1 of the text)"]),
    (lambda text: text.replace("title: Title", "title: '{{ order.x }}'").replace("A body with {{ limits.top }}.", "{{ order.y }}"), ["one-card.yaml:7:16 CARD-005 template: 'dict object' has no attribute 'x'", "one-card.yaml:9:15 CARD-005 template: 'dict object' has no attribute 'y'"]),
    (lambda text: text.replace("title: Title", "title: '{{ x }}'"), ["one-card.yaml:7:16 CARD-005 template: 'x' is undefined"]),
    (lambda text: text.replace("A summary for", "A " + "long " * 30 + "summary for"), ["one-card.yaml:8:18 CARD-012 a summary is at most 139 characters; this one has 171"] * 2),
    (lambda text: text.replace("A summary for", "One. A summary for"), ["one-card.yaml:8:18 CARD-012 a summary is one sentence and ends with a full stop or question mark"] * 2),
    (lambda text: text.replace('}}."', '}}"'), ["one-card.yaml:8:18 CARD-012 a summary is one sentence and ends with a full stop or question mark"] * 2),
    (lambda text: text.replace("A body with", "A " + "long " * 118 + "body with"), ["one-card.yaml:9:15 CARD-010 a section is at most 120 words; this one has 125"] * 2),
    (lambda text: text.replace("A body with", "A <b>body</b> with"), ["one-card.yaml:9:15 CARD-011 no '<', '>' or address in a text: clients read them as markup or links"] * 2),
    (lambda text: text.replace("A body with", "See www.x.example with"), ["one-card.yaml:9:15 CARD-011 no '<', '>' or address in a text: clients read them as markup or links"] * 2),
    (lambda text: text.replace("    sections:", "    tables: {kinds: {one: 'a *b*'}}\n    sections:"), ["one-card.yaml:5:27 CARD-011 a phrase of a table is plain words: marks would be escaped"]),
    (lambda text: text + "references: {label: {title: T, checked: 2026-02-30}}\n", ["one-card.yaml:12:41 CARD-008 '2026-02-30' is no day of the calendar"]),
    (lambda text: text + "references: {label: {title: T, checked: yesterday}}\n", ["one-card.yaml:12:41 CARD-001 expected a day as YYYY-MM-DD, found 'yesterday'"]),
    (lambda text: text + OFFER.format(kind="remove-ordr"), ["one-card.yaml:13:11 CARD-001 'remove-ordr' is not one of remove-order, start-low, start-titration, record-indication; did you mean 'remove-order'?"]),
    (lambda text: text + OFFER.format(kind="remove-order").replace("    drugs: [x]\n", ""), ["one-card.yaml:13:5 CARD-001 expected a member 'drugs'"]),
    (lambda text: text + OFFER.format(kind="start-low"), [f"one-card.yaml:13:5 CARD-006 a suggestion 'start-low' needs '{name}'" for name in ("limit", "product", "product_system", "sig")]),
    (lambda text: text + OFFER.format(kind="record-indication\n    recommended: [defualt]"), ["one-card.yaml:14:18 CARD-006 'defualt' is recommended but not among 'says'; did you mean 'default'?"]),
    (lambda text: text + OFFER.format(kind="record-indication").replace("label: Label", "label: '{{ dose }}'"), ["one-card.yaml:17:25 CARD-005 template: 'dose' is undefined"]),
    (lambda text: text + "cites: {other: label}\n", ["one-card.yaml:12:16 CARD-016 no section and no closing 'other'"]),
    (lambda text: text + "cites: {default: '{% if %}'}\n", ["one-card.yaml:12:18 CARD-005 template: Expected an expression, got 'end of statement block' (line 1 of the text)"]),
    (lambda _: "", ["one-card.yaml:1:1 YAML-003 the file is empty"]),
    (lambda text: text + "id: again\n", ["one-card.yaml:12:1 YAML-002 'id' stands twice; first at line 1"]),
]  # fmt: skip


@pytest.mark.parametrize(("change", "expected"), BROKEN)
def test_what_is_wrong_in_a_card_file_is_told_with_its_place(change: Change, expected: list[str]) -> None:
    assert problems(with_card(change(CARD))) == expected


def test_all_problems_of_all_files_are_told_at_once() -> None:
    two = {**with_card(CARD.replace("will-monitor", "x")), "other.yaml": CARD}
    two["library.yaml"] = two["library.yaml"].replace("{{ count }} more", "{{ cuont }} more")
    told = problems(two)
    assert [line.split(" ")[0] for line in told] == ["one-card.yaml:11:20", "other.yaml:1:5"]


def test_shared_words_are_tried_too() -> None:
    files = with_card(CARD)
    files["library.yaml"] = files["library.yaml"].replace("{{ count }} more", "{{ cuont }} more")
    assert [line.partition(" ")[2] for line in problems(files)] == ["CARD-005 template: 'cuont' is undefined"]


@pytest.mark.parametrize("name", ["library.yaml", "override-reasons.yaml"])
def test_a_missing_shared_file_is_told(name: str) -> None:
    files = with_card(CARD)
    del files[name]
    assert problems(files) == [f"{name}:1:1 CARD-003 the file is missing"]


def test_an_unreadable_shared_file_is_told_once() -> None:
    assert problems({**with_card(CARD), "library.yaml": "a: [1"}) == [
        "library.yaml:1:6 YAML-001 not readable as YAML: expected ',' or ']', but got '<stream end>'"
    ]


def test_two_cards_cannot_have_one_topic() -> None:
    other = CARD.replace("id: one-card", "id: other-card\ntopic: onecard")
    files = {**with_card(CARD), "other-card.yaml": other}
    assert problems(files) == ["other-card.yaml:2:8 CARD-009 topic 'onecard' is already that of 'one-card'"]


def test_an_override_reason_needs_english() -> None:
    files = with_card(CARD)
    files["override-reasons.yaml"] += "  nueva: {es: Nueva}\n"
    assert [line.partition(" ")[2] for line in problems(files)] == [
        "CARD-004 no English text ('en'), which every other language falls back to"
    ]


def test_the_schema_file_is_the_one_generated() -> None:
    assert json.loads((ROOT / "cards" / "card.schema.json").read_text(encoding="utf-8")) == card_schema()


def test_the_schema_accepts_every_shipped_card_and_refuses_a_broken_one() -> None:
    validator = jsonschema.Draft202012Validator(card_schema())
    shipped = {
        name: as_plain(read_yaml(text, name))
        for name, text in card_files().items()
        if name not in {"library.yaml", "override-reasons.yaml"}
    }
    assert [name for name, card in shipped.items() if not validator.is_valid(card)] == []
    broken = shipped["titration-start.yaml"]
    broken["suggestions"][0]["kind"] = "other"
    assert [error.json_path for error in validator.iter_errors(broken)] == ["$.suggestions[0].kind"]
    assert not validator.is_valid({**shipped["opioid-conflict.yaml"], "extra": 1})


def test_topics_are_static_and_alphanumeric() -> None:
    topics = {card.id: card.source.topic.code for card in library().cards.values() if card.source.topic}
    assert topics == {name: name.replace("-", "") for name in library().cards}
    assert all(code.isalnum() for code in topics.values())


# --- against the rules ----------------------------------------------------------------------------------------------


def _rule(**changed: Any) -> Rule:  # noqa: ANN401 - fields of Rule
    return replace(rules()["titration-start"], **changed)


def test_a_rule_without_a_card_or_a_text_is_told() -> None:
    [missing] = [one for one in rule_problems(library(), [*rules().values(), _rule(card="titration-strat")]) if one.code == "CARD-013"]
    assert (
        missing.message == "rule 'titration-start' names card 'titration-strat', which no file describes; did you mean 'titration-start'?"
    )
    found = rule_problems(library(), [*rules().values(), _rule(card="titration-step")])
    assert {one.code for one in found} == {"CARD-013"}
    assert "rule 'titration-start' says 'above-usual-start', for which card 'titration-step' has no text" in [one.message for one in found]


def test_a_text_that_quotes_a_threshold_its_rule_has_not_is_told() -> None:
    thresholds = {name: one for name, one in rules()["titration-start"].thresholds.items() if name != "usual_step"}
    found = rule_problems(library(), [*(rule for rule in rules().values() if rule.id != "titration-start"), _rule(thresholds=thresholds)])
    assert {(one.code, one.message) for one in found} == {
        ("CARD-014", "card 'titration-start' quotes 'usual_step', no threshold of rule 'titration-start'; did you mean 'usual_start'?")
    }


def test_a_suggestion_that_rests_on_a_threshold_its_rule_has_not_is_told() -> None:
    thresholds = {name: one for name, one in rules()["titration-start"].thresholds.items() if name != "usual_start"}
    found = rule_problems(library(), [*(rule for rule in rules().values() if rule.id != "titration-start"), _rule(thresholds=thresholds)])
    assert {one.code for one in found} == {"CARD-014"}


def test_a_citation_of_what_neither_rule_nor_card_has_is_told() -> None:
    fewer = tuple(one for one in rules()["titration-start"].references if one.id != "final")
    (found,) = rule_problems(library(), [*(rule for rule in rules().values() if rule.id != "titration-start"), _rule(references=fewer)])
    assert (found.code, found.message) == (
        "CARD-016",
        "card 'titration-start' cites 'final' for 'above-usual-start', no reference of the card or of rule 'titration-start'",
    )


def test_a_card_that_no_rule_uses_is_told() -> None:
    fewer = [rule for rule in rules().values() if rule.id != "titration-bedtime"]
    assert [str(one) for one in unused_cards(library(), fewer)] == [
        "titration-bedtime.yaml:1:1 CARD-015 no rule uses card 'titration-bedtime'"
    ]
    assert unused_cards(library(), rules().values()) == rule_problems(library(), fewer) == []


def test_what_a_rule_can_say_is_collected_from_every_alternative() -> None:
    assert says_of(rules()["opioid-conflict"]) >= {"in-use", "recently-ended", "diagnosis"}
    assert says_of(rules()["titration-bedtime"]) == {""}
    assert says_of(_rule(says="own")) == {"own", "above-usual-start", "range", "schedule"}


# --- languages ------------------------------------------------------------------------------------------------------

SPANISH = """  es:
    sections:
      default:
        title: Hora del día
        summary: "La naltrexona a dosis bajas se toma normalmente al acostarse; esta orden indica otra hora."
        body: |
          Normalmente se toma al acostarse, dosis {{ order.daily_dose }}.
"""


def test_a_language_is_only_files() -> None:
    files = card_files()
    files["titration-bedtime.yaml"] = files["titration-bedtime.yaml"].replace("override_reasons:", SPANISH + "override_reasons:")
    shelf = load_cards(files, CANONICAL)
    card = cards([finding("titration-bedtime")], language="es-MX", shelf=shelf)[0]
    assert card.summary == "La naltrexona a dosis bajas se toma normalmente al acostarse; esta orden indica otra hora."
    assert card.overrideReasons[0].display == "Esta hora del día conviene más al paciente"
    assert "**Referencias**" in (card.detail or "")
    assert "usually taken at bedtime" in cards([finding("titration-bedtime")], language="de", shelf=shelf)[0].detail
    assert "larger than the usual" in cards([finding("titration-step", "too-large")], language="es", shelf=shelf)[0].detail


def test_a_card_one_of_whose_texts_lacks_a_language_is_english_as_a_whole() -> None:
    files = card_files()
    files["titration-bedtime.yaml"] = files["titration-bedtime.yaml"].replace("override_reasons:", SPANISH + "override_reasons:")
    files["override-reasons.yaml"] = files["override-reasons.yaml"].replace(', es: "La dosis es la que se quiere"', "")
    card = cards([finding("titration-bedtime")], language="es", shelf=load_cards(files, CANONICAL))[0]
    assert card.summary == "Low-dose naltrexone is usually taken at bedtime; this order gives another time."
    assert {reason.display for reason in card.overrideReasons} >= {"The dose is intended", "This time of day suits the patient better"}
    assert "**References**" in (card.detail or "")


def test_sections_of_two_cards_stand_in_one_language() -> None:
    files = card_files()
    files["titration-bedtime.yaml"] = files["titration-bedtime.yaml"].replace("override_reasons:", SPANISH + "override_reasons:")
    both = [finding("titration-bedtime"), finding("titration-step", "too-large")]
    (card,) = cards(both, language="es", shelf=load_cards(files, CANONICAL))
    assert "usually taken at bedtime" in (card.detail or "")


def test_a_language_that_lacks_a_text_of_english_is_refused() -> None:
    files = card_files()
    files["titration-step.yaml"] = files["titration-step.yaml"].replace(
        "override_reasons:", SPANISH.replace("default", "too-large") + "override_reasons:"
    )
    assert [line.partition(" ")[2] for line in problems(files)] == ["CARD-004 'es' lacks what English has: too-soon"]


def test_every_problem_code_is_documented() -> None:
    code = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "cds_service" / "cards").glob("*.py"))
    documented = set(re.findall(r"^\| (CARD-\d{3})", (ROOT / "docs" / "cards.md").read_text(encoding="utf-8"), re.MULTILINE))
    assert set(re.findall(r'"(CARD-\d{3})"', code)) == documented
