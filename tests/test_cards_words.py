"""The words of every card: each rule and each thing that it can say, by what a clinician must read in it."""

import re
from datetime import date

import pytest

from cds_service.cards.crosscheck import rule_problems, says_of
from cds_service.cards.offered import gaps
from cds_service.cards.text import word_count
from cds_service.facts.dose_reasons import REASONS
from cds_service.facts.registry import Fact, OrderFacts, Value
from cds_service.hooks.answer import Card
from cds_service.quantities import exactly
from cds_service.rulebook.types import Finding, Severity
from cds_service.unknown import Unknown
from tests.cards_floor import card_files, cards, conflict, exposure, finding, library, order_facts, rules, words

OPIOID = order_facts("MedicationRequest/mr-2", drug=words("opioid", "opioid-agonist"), name="oxycodone", dose_class=words("not-applicable"))
SAYINGS = sorted((rule.id, says) for rule in rules().values() for says in says_of(rule))
LONG = "buprenorphine and naloxone sublingual film with a very long product name indeed (Suboxone)"


def _finding(rule: str, says: str, name: str = "oxycodone", facts: OrderFacts | None = None) -> Finding:
    """A finding of any rule that says any of its texts."""
    if rules()[rule].kind != "opioid-conflict":
        return finding(rule, says, facts)
    about = facts or (order_facts() if rule == "opioid-conflict" else OPIOID)
    return finding(rule, says, about, [exposure(name, says, Severity.WARNING)])


def one(made: tuple[Card, ...]) -> Card:
    """The only card."""
    assert len(made) == 1
    return made[0]


def body(card: Card) -> str:
    """The detail before the references."""
    return card.detail.partition("**References**")[0]


def test_every_rule_has_its_card_texts_and_thresholds() -> None:
    assert rule_problems(library(), rules().values()) == []


@pytest.mark.parametrize(("rule", "says"), SAYINGS)
@pytest.mark.parametrize("name", ["oxycodone", LONG, "x" * 300, "<b>*hostile*</b> [x](https://evil.example) www.evil.example"])
def test_every_summary_is_one_sentence_under_140_characters(rule: str, says: str, name: str) -> None:
    facts = order_facts(name=name, indication_names=f"{name}, {name}") if rule != "opioid-on-naltrexone" else order_facts(name=name)
    card = one(cards([_finding(rule, says, name, facts)]))
    assert 20 < len(card.summary) < 140
    assert "\n" not in card.summary
    assert card.summary.endswith((".", "?", "…"))
    assert ". " not in card.summary or "evil" in name


@pytest.mark.parametrize(("rule", "says"), SAYINGS)
def test_every_section_is_at_most_120_words_with_real_values(rule: str, says: str) -> None:
    sections = re.split(r"(?m)^\*\*.*\*\*$", body(one(cards([_finding(rule, says)]))))
    assert max(word_count(section) for section in sections) <= 120


@pytest.mark.parametrize(("rule", "says"), SAYINGS)
def test_every_detail_has_references_and_ends_with_what_it_rests_on(rule: str, says: str) -> None:
    card = one(cards([_finding(rule, says)]))
    assert "**References**\n\n- " in card.detail
    assert card.detail.rpartition("\n\n")[2].startswith(f"Basis: rule {rule} v{rules()[rule].version}, pack 2026.11.0. Inputs used: ")


@pytest.mark.parametrize(("rule", "says"), SAYINGS)
def test_no_text_shows_a_hole_where_nothing_is_known(rule: str, says: str) -> None:
    nothing = OrderFacts("MedicationRequest/mr-1", {})
    card = one(cards([_finding(rule, says, facts=nothing)]))
    assert not re.search(r"None|Unknown|\{|\}|undefined|  ", card.summary + card.detail)
    assert "text could not be shown" not in card.detail


@pytest.mark.parametrize(("rule", "says"), SAYINGS)
def test_no_card_advises_what_must_never_be_advised(rule: str, says: str) -> None:
    told = body(one(cards([_finding(rule, says)]))).lower()
    assert not re.search(r"(?<!no )\b(stop|discontinue) (the|an|any|all) opioid", told)
    assert not re.search(r"\b(stop|leave|replace) (the )?(agonist|methadone|buprenorphine)", told)
    assert "no evidence of risk" not in told
    assert "is safe" not in told


@pytest.mark.parametrize(("rule", "says"), [saying for saying in SAYINGS if saying[0] == "opioid-conflict"])
def test_each_opioid_conflict_of_a_naltrexone_order_says_what_must_be_said(rule: str, says: str) -> None:
    told = body(one(cards([_finding(rule, says)])))
    assert "oxycodone" in told.split("\n\n")[0]
    assert "withdrawal" in told
    assert "No opioid should be stopped at once" in told
    assert "Agonist treatment (methadone, buprenorphine) should not be left for naltrexone." in told
    assert "Opioid-free intervals come from the 50 mg label and are unstudied for low doses." in told


@pytest.mark.parametrize(("rule", "says"), [saying for saying in SAYINGS if saying[0] == "opioid-on-naltrexone"])
def test_each_opioid_order_on_naltrexone_says_how_to_treat_pain(rule: str, says: str) -> None:
    told = body(one(cards([_finding(rule, says, "naltrexone")])))
    assert "Non-opioid or regional pain relief first; an opioid only where breathing is monitored." in told
    assert "it is the naltrexone that needs review" in told
    assert "naltrexone" in told.split("\n\n")[0]


KEY_SENTENCES = [
    ("opioid-conflict", "in-use", ["low doses included", "block pain relief", "after 1 mg", "10 days opioid-free by the label", "If the opioid is taken regularly"]),
    ("opioid-conflict", "recently-ended", ["if the opioid was taken regularly", "label asks for up to 10 days", "10 days to go"]),
    ("opioid-conflict", "long-acting-depot", ["over months", "no number of days can be given", "Please ask when the last injection"]),
    ("opioid-conflict", "weak-opioid", ["cough and diarrhoea", "benefit may be lost"]),
    ("opioid-conflict", "diagnosis", ["This diagnosis means that opioids may be in use, or were until lately", "7 to 10 days", "up to 2 weeks", "naloxone challenge"]),
    ("opioid-conflict", "not-certain", ["does not say whether", "ask the patient"]),
    ("opioid-conflict", "started-together", ["same signing", "may not work"]),
    ("opioid-on-naltrexone", "in-use", ["may not relieve pain", "larger doses is dangerous", "The opposite is reported too"]),
    ("opioid-on-naltrexone", "recently-ended", ["block may persist", "tolerance is lower"]),
    ("off-label-low-dose", "fibromyalgia", ["is off-label: lawful and common", "without full regulatory review", "28.8 % against 18.0 %", "99 women", "Thought, not proven", "Toll-like receptor 4", "compounding pharmacy", "Vivid dreams, insomnia and headache"]),
    ("off-label-low-dose", "other-condition", ["for Fibromyalgia is off-label", "say nothing sure of other conditions", "Thought, not proven"]),
    ("off-label-low-dose", "fibromyalgia-dose-unknown", ["could not be worked out", "used 1.5 to 6 mg", "say nothing of more", "benefit is uncertain"]),
    ("off-label-low-dose", "other-condition-dose-unknown", ["for Fibromyalgia is off-label", "could not be worked out", "say nothing sure of other conditions"]),
    ("off-label-low-dose", "no-indication", ["state the indication", "off-label whatever the reason"]),
    ("off-label-low-dose", "indication-unread", ["problem list could not be read", "state the indication"]),
    ("off-label-standard-dose", "fibromyalgia", ["above the 1.5 to 6 mg", "31 women", "99 women"]),
    ("off-label-standard-dose", "pruritus", ["25 to 50 mg", "the label covers alcohol dependence"]),
    ("dose-mismatch", "standard-dose-for-low-dose-use", ["4.5 mg a day is a standard dose", "full opioid block", "compounding pharmacy"]),
    ("dose-mismatch", "low-dose-for-labelled-use", ["50 mg a day", "25 mg on the first day"]),
    ("dose-mismatch", "decimal-slip", ["ten times a usual low dose", "does not guess"]),
    ("dose-mismatch", "product", ["do not fit together", "does not guess"]),
    ("dose-mismatch", "above-regimens", ["above the labelled average of 50 mg", "5 of 26"]),
    ("dose-mismatch", "below-labelled", ["25 mg is the labelled first-day dose"]),
    ("dose-mismatch", "between-regimens", ["1.5 to 4.5 mg", "50 mg"]),
    ("titration-start", "above-usual-start", ["starts at 4.5 mg a day", "1.5 mg a day, then 1.5 mg more every 7 to 14 days up to 4.5 mg a day", "Raise only if tolerated; stay at the lowest dose that helps", "convention, not trial evidence"]),
    ("titration-start", "schedule", ["1.5 mg a day at bedtime, then 1.5 mg more every 7 to 14 days up to 4.5 mg a day", "lowest dose that helps"]),
    ("titration-step", "too-large", ["larger than the usual 1.5 mg", "convention"]),
    ("titration-step", "too-soon", ["less than 7 days", "convention"]),
    ("titration-ceiling", "", ["6 mg in 99 women", "5.4 mg", "lowest dose that helps"]),
    ("titration-bedtime", "", ["early sleep", "rebound later in the night", "morning is an accepted alternative"]),
    ("missing-indication", "", ["state the indication", "alcohol dependence and the blocking of opioids"]),
    ("incomplete-data", "drug-unreadable", ["no check was made"]),
    ("dose-unknown", "", ["could not be worked out", "Opioid checks do not depend on the dose"]),
]  # fmt: skip


@pytest.mark.parametrize(("rule", "says", "sentences"), KEY_SENTENCES)
def test_key_sentences_stand_in_their_card(rule: str, says: str, sentences: list[str]) -> None:
    told = body(one(cards([_finding(rule, says)])))
    assert [sentence for sentence in sentences if sentence not in told] == []


def test_the_interval_told_is_that_of_the_drug_that_fired() -> None:
    card = one(cards([conflict(exposure("methadone", opioid_free_days=exactly(14, "d")))]))
    assert card.detail.startswith("**Opioid in use: methadone (up to 14 days opioid-free by the label)**")


def test_a_drug_without_an_interval_gets_no_number() -> None:
    card = one(cards([conflict(exposure("morphine", opioid_free_days=Unknown("no-interval")))]))
    assert card.detail.startswith("**Opioid in use: morphine**")
    assert "in the heading" not in card.detail


@pytest.mark.parametrize(
    ("since", "told"),
    [
        (exactly(1, "d"), "(last covered day 1 day ago; label asks for up to 10 days, 9 days to go)"),
        (exactly(0, "d"), "(covered until today; label asks for up to 10 days, 9 days to go)"),
        (Unknown("no-dates"), "(last dose not known; label asks for up to 10 days, 9 days to go)"),
    ],
)
def test_the_days_since_the_last_dose_are_told(since: object, told: str) -> None:
    recent = exposure("tramadol", "recently-ended", Severity.WARNING, days_since_last_dose=since, days_short_of_opioid_free=exactly(9, "d"))  # type: ignore[arg-type]
    assert one(cards([conflict(recent)])).detail.startswith(f"**Opioid ended recently: tramadol {told}**")


def test_an_uncertain_exposure_says_that_the_record_is_unclear() -> None:
    told = [one(cards([conflict(exposure(certain=certain))])).detail for certain in (True, False)]
    assert ["Part of the record is unclear" in text for text in told] == [False, True]


def test_the_reversal_agent_is_named_only_for_the_injection() -> None:
    depot = order_facts(drug=words("naltrexone", "depot"), dose_class=words("standard"))
    told = [body(one(cards([conflict(facts=facts)]))) for facts in (order_facts(), depot)]
    assert ["overdose reversal agent" in text for text in told] == [False, True]
    listed = [exposure("naltrexone", drug=words(*classes)) for classes in (("naltrexone",), ("naltrexone", "depot"))]
    told = [body(one(cards([finding("opioid-on-naltrexone", "in-use", OPIOID, [met])]))) for met in listed]
    assert ["overdose reversal agent" in text for text in told] == [False, True]


@pytest.mark.parametrize("kind", ["medications", "history", "conditions"])
@pytest.mark.parametrize(
    ("state", "told"), [("missing", "was not sent"), ("partial", "was only partly readable"), ("failed", "could not be fetched")]
)
def test_what_was_not_read_is_named_in_a_plain_sentence(kind: str, state: str, told: str) -> None:
    lists = {"medications": "current medications", "history": "recently ended medications", "conditions": "problem list"}
    unread: dict[str, Value] = {f"data_{kind}": words(state)}
    base = order_facts()
    facts = {**base.facts, **{name.replace("_", "."): Fact(value) for name, value in unread.items()}}
    card = one(cards([finding("incomplete-data", "naltrexone", OrderFacts(base.order, facts))]))
    assert re.search(rf"because the (list of )?{lists[kind]} {told}\.", card.detail)
    assert lists[kind] in card.summary


def test_missing_medications_are_no_all_clear_for_opioids() -> None:
    missing = cards([finding("incomplete-data", "naltrexone", order_facts(data_medications=words("missing")))])
    assert "This is no all-clear: please ask about opioids" in one(missing).detail
    missing = cards([finding("incomplete-data", "opioid", order_facts(data_medications=words("missing")))])
    assert "it would block this opioid" in one(missing).detail


def test_an_order_that_was_half_read_says_so() -> None:
    card = one(cards([finding("incomplete-data", "naltrexone", order_facts(is_readable=False))]))
    assert "parts of the order itself could not be read" in card.detail
    assert "parts of the order itself" in card.summary
    both = one(cards([finding("incomplete-data", "naltrexone", order_facts(is_readable=False, data_history=words("failed")))]))
    assert "could not be fetched; parts of the order itself could not be read." in both.detail


def test_gaps_count_what_the_exposures_lack() -> None:
    facts = order_facts(data_history=words("failed"))
    lacking = OrderFacts(facts.order, facts.facts, exposures_lack=("conditions", "history"))
    assert [(gap.kind, gap.state) for gap in gaps(lacking)] == [("history", "failed"), ("conditions", "partial")]


def test_every_reason_for_an_unknown_dose_has_its_own_sentence() -> None:
    not_of_the_daily_dose = {
        "depot", "liquid-product", "no-steps", "no-increase", "no-length", "time-of-day-in-text", "no-time-of-day",
        "vague-time-of-day", "partly-as-needed", "unreadable-as-needed", "no-route", "unreadable-route",
    }  # fmt: skip
    told = library().cards["dose-unknown"].texts["en"].tables["reasons"]
    assert set(REASONS) - not_of_the_daily_dose - set(told) == set()
    assert set(told) - set(REASONS) == {"other"}


@pytest.mark.parametrize(
    ("reason", "told"), [("no-strength", "the strength of one tablet"), ("a-new-reason", "dose, strength or timing is missing")]
)
def test_the_reason_of_an_unknown_dose_is_told(reason: str, told: str) -> None:
    card = one(cards([finding("dose-unknown", "", order_facts(daily_dose=Unknown(reason)))]))
    assert f"could not be worked out: {told}" in card.detail


def test_a_reference_that_nobody_checked_for_a_year_is_marked() -> None:
    told = {day: one(cards([finding("missing-indication")], today=day)).detail for day in (date(2027, 11, 22), date(2027, 11, 23))}
    assert ["last checked 2026-11-22, more than 12 months ago" in text for text in told.values()] == [False, True]


def test_references_say_title_section_and_year_and_become_links() -> None:
    card = one(cards([finding("missing-indication")]))
    assert "- Naltrexone hydrochloride tablets, US prescribing information (DailyMed), section 1, 2013." in card.detail
    assert [(link.type, link.url.startswith("https://dailymed.nlm.nih.gov/")) for link in card.links] == [("absolute", True)]


@pytest.mark.parametrize(
    ("says", "classes", "cited"),
    [
        ("in-use", ("naltrexone",), ["Naltrexone hydrochloride tablets", "Naumann 2023", "FDA Drug Safety"]),
        ("weak-opioid", ("naltrexone",), ["Naltrexone hydrochloride tablets", "FDA Drug Safety"]),
        ("long-acting-depot", ("naltrexone",), ["Naltrexone hydrochloride tablets", "Monthly buprenorphine", "FDA Drug Safety"]),
        ("in-use", ("naltrexone", "depot"), ["Naltrexone hydrochloride tablets", "Naumann 2023", "FDA Drug Safety", "Naltrexone extended"]),
    ],
)
def test_only_the_sources_of_what_is_told_stand_under_a_card(says: str, classes: tuple[str, ...], cited: list[str]) -> None:
    severity = Severity.CRITICAL if says == "in-use" else Severity.WARNING
    told = one(cards([conflict(exposure(says=says, severity=severity), facts=order_facts(drug=words(*classes)))])).detail
    lines = told.partition("**References**")[2].splitlines()
    assert [line[2:] for line in lines if line.startswith("- ")] == [
        next(line[2:] for line in lines if line.startswith(f"- {name}")) for name in cited
    ]


def test_a_first_order_is_dated_only_where_no_opioid_stands_against_it() -> None:
    start = finding("titration-start", "above-usual-start", order_facts(begins="2026-11-22"))
    alone = one(cards([start])).detail
    beside = cards([conflict(), start])[1].detail or ""
    assert ("From 2026-11-22" in alone, "opioid question" in alone) == (True, False)
    assert ("From 2026-11-22" in beside, "opioid question on this signing is settled" in beside) == (False, True)


def test_the_same_source_is_cited_once() -> None:
    card = one(cards([finding("off-label-low-dose", "fibromyalgia"), finding("titration-start", "schedule"), finding("titration-ceiling")]))
    urls = [link.url for link in card.links]
    assert len(urls) == len(set(urls)) > 4
    assert card.detail.count("FINAL trial") == 1


def test_the_basis_names_what_was_used() -> None:
    card = one(cards([finding("titration-ceiling", site_override="thresholds.usual_target")]))
    assert card.detail.endswith(
        "Basis: rule titration-ceiling v1 (changed by the site: thresholds. usual\\_target), pack 2026.11.0. "
        "Inputs used: naltrexone, dose 4.5 mg a day, indication from the problem list."
    )


def test_authored_texts_promise_no_suggestion() -> None:
    texts = [text for name, text in card_files().items() if name != "override-reasons.yaml"]
    told = "\n".join(line for text in texts for line in text.split("suggestions:")[0].splitlines())
    assert not re.search(r"suggestion|button|click|offered", told)


def test_one_conflict_card_names_each_drug_once_before_the_references() -> None:
    fills = [exposure("oxycodone"), exposure("oxycodone"), exposure("oxycodone", "recently-ended", Severity.WARNING)]
    card = one(cards([conflict(*fills)]))
    assert body(card).count("oxycodone") == 1
    assert "ended recently" not in card.detail
