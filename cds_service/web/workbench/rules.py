"""Floor 7: the pages "Rules": the catalogue in words, one page a rule, the value sets and drug classes that rules name, their sources."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date
from http import HTTPStatus
from typing import Any, Final

from flask import Blueprint, Response, abort

from cds_service.cards.library import ENGLISH, CardTexts
from cds_service.cards.offered import Amount, Named
from cds_service.cards.samples import sample_values
from cds_service.cards.text import rendered_line
from cds_service.cards.writing import is_stale
from cds_service.quantities import Quantity
from cds_service.rulebook.rulebook import Rulebook
from cds_service.rulebook.running import CaseResult, answer_text, expected_text
from cds_service.rulebook.types import Reference, Rule, Threshold
from cds_service.rulebook.wording import (
    IF_UNKNOWN,
    STATUS_MEANINGS,
    Clause,
    conditions_of,
    exceptions_of,
    facts_named,
    limit_text,
    quantity_words,
    severities_of,
    words_named,
)
from cds_service.service import Pack
from cds_service.terminology.listing import class_meaning, codes_of, drugs_of, set_title
from cds_service.web.workbench.shell import Shell
from cds_service.web.workbench.sources import Sources

_HOOKS: Final = {"order-select": "while ordering", "order-sign": "at signing"}
_SOME: Final = Amount("…", "…", is_known=True)
_OTHER_DRUG: Final = Named("other", "(the other drug)", frozenset(), _SOME, _SOME, _SOME, is_certain=True)
_STAND_INS: Final = {"drug_names": _OTHER_DRUG.name, "drugs": (_OTHER_DRUG,), "order_names": "(the order)"}


@dataclass(frozen=True, slots=True)
class ListedRule:
    """One rule in the catalogue."""

    id: str
    title: str
    status: str
    severities: tuple[str, ...]
    hooks: tuple[str, ...]
    version: int
    checked: date
    is_stale: bool
    cases: int
    failed: int


@dataclass(frozen=True, slots=True)
class ShownThreshold:
    """One number of a rule: what holds today, every value with its first day, its source, what a site may do."""

    name: str
    now: str
    values: tuple[tuple[date, str], ...]
    source: str
    site_may: str


@dataclass(frozen=True, slots=True)
class ShownReference:
    """One source with the rules that rest on it."""

    title: str
    section: str
    url: str
    published: date | None
    checked: date
    is_stale: bool
    rules: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ShownCase:
    """One case of a rule and what came of it."""

    name: str
    expected: str
    answered: str
    passed: bool


@dataclass(frozen=True, slots=True)
class Text:
    """One text of the card that a rule leads to."""

    says: str
    title: str
    summary: str


@dataclass(frozen=True, slots=True)
class Change:
    """One line of the change log that names a rule."""

    release: str
    text: str


@dataclass(slots=True)
class CaseResults:
    """The results of all cases, worked out once for each pack: they take seconds."""

    _known: dict[str, dict[str, tuple[CaseResult, ...]]] = field(default_factory=dict)

    def of(self, rulebook: Rulebook) -> dict[str, tuple[CaseResult, ...]]:
        """Return the results by rule."""
        if rulebook.hash not in self._known:
            self._known = {rulebook.hash: _by_rule(rulebook.run_cases())}  # of two that come together, one is thrown away
        return self._known[rulebook.hash]


def add_rules(blueprint: Blueprint, shell: Shell, sources: Sources) -> None:
    """Add the pages to the blueprint."""
    results = CaseResults()

    @blueprint.get("/rules")
    def rules() -> Response:
        pack, today = sources.pack(), sources.today()
        listed = catalogue(pack.rulebook, results.of(pack.rulebook), today)
        return shell.page("rules.html", manifest=pack.rulebook.manifest, site=pack.rulebook.site, rules=listed)

    @blueprint.get("/rules/<rule_id>")
    def rule(rule_id: str) -> Response:
        pack = sources.pack()
        found = next((one for one in pack.rulebook.rules if one.id == rule_id), None) or abort(HTTPStatus.NOT_FOUND)
        told = _rule_page(found, pack, results.of(pack.rulebook), sources.today())
        return shell.page("rule.html", **told, history=history_of(sources.changes(), rule_id))

    @blueprint.get("/value-sets/<name>")
    def value_set(name: str) -> Response:
        pack = sources.pack()
        codes = codes_of(pack.conditions, name) or abort(HTTPStatus.NOT_FOUND)
        used = _rules_naming(pack.rulebook, "valuesets", name)
        return shell.page("value_set.html", name=name, title=set_title(pack.conditions, name), codes=codes, used=used)

    @blueprint.get("/drug-classes/<name>")
    def drug_class(name: str) -> Response:
        pack = sources.pack()
        meaning = class_meaning(pack.drugs, name) or abort(HTTPStatus.NOT_FOUND)
        used = _rules_naming(pack.rulebook, "drug-classes", name)
        return shell.page("drug_class.html", name=name, meaning=meaning, drugs=drugs_of(pack.drugs, name), used=used)

    @blueprint.get("/references")
    def references() -> Response:
        return shell.page("references.html", references=all_references(sources.pack().rulebook, sources.today()))


def catalogue(rulebook: Rulebook, results: dict[str, tuple[CaseResult, ...]], today: date) -> tuple[ListedRule, ...]:
    """List every rule: those in force first, the gravest of them at the top."""
    return tuple(_listed(rule, results.get(rule.id, ()), today) for rule in sorted(rulebook.rules, key=_place))


def all_references(rulebook: Rulebook, today: date) -> tuple[ShownReference, ...]:
    """List every source once, with the rules that rest on it, those longest unchecked first."""
    by_source: dict[tuple[str, str], tuple[Reference, list[str]]] = {}
    for rule in rulebook.rules:
        for one in rule.references:
            known, rules = by_source.setdefault((one.url or one.title, one.section), (one, []))
            rules.append(rule.id)
            by_source[known.url or known.title, known.section] = (min(known, one, key=lambda each: each.checked), rules)
    shown = (_reference(one, today, tuple(sorted(set(rules)))) for one, rules in by_source.values())
    return tuple(sorted(shown, key=lambda one: (one.checked, one.title, one.section)))


def history_of(changes: str, rule_id: str) -> tuple[Change, ...]:
    """Return the lines of a change log (keepachangelog.com) that name a rule in backticks, newest first as they stand."""
    release, found = "", list[Change]()
    for paragraph in re.split(r"\n(?=#|- )", changes):
        if paragraph.startswith("## "):
            release = paragraph[3:].strip()
        elif paragraph.startswith("- ") and f"`{rule_id}`" in paragraph:
            found.append(Change(release, " ".join(paragraph[2:].replace("`", "").split())))
    return tuple(found)


def _rule_page(rule: Rule, pack: Pack, results: dict[str, tuple[CaseResult, ...]], today: date) -> dict[str, Any]:
    """Gather all that the page of one rule shows."""
    cases = tuple(_case(result) for result in results.get(rule.id, ()))
    return {
        "rule": rule,
        "severities": severities_of(rule),
        "hooks": tuple(_HOOKS[hook] for hook in sorted(rule.hooks)),
        "status_meaning": STATUS_MEANINGS[rule.status],
        "if_unknown": IF_UNKNOWN[rule.if_unknown],
        "conditions": conditions_of(rule),
        "exceptions": exceptions_of(rule),
        "facts": facts_named(rule),
        "thresholds": tuple(_threshold(one, rule, today) for one in rule.thresholds.values()),
        "references": tuple(_reference(one, today) for one in rule.references),
        "texts": card_texts(pack, rule),
        "value_sets": tuple((name, set_title(pack.conditions, name)) for name in sorted(words_named(rule, "valuesets"))),
        "drug_classes": tuple((name, class_meaning(pack.drugs, name)) for name in sorted(words_named(rule, "drug-classes"))),
        "cases": cases,
        "passed": sum(case.passed for case in cases),
        "pack": pack.rulebook.manifest,
    }


def card_texts(pack: Pack, rule: Rule) -> tuple[Text, ...]:
    """Return what the rule's card can say, with stand-ins for what an order would bring."""
    texts = pack.cards.card(rule.card).texts[ENGLISH]
    keys = dict.fromkeys(key for says in _says(rule) if (key := texts.section_key(rule.id, says)) is not None)
    return tuple(_text(key, texts) for key in keys)


def _text(key: str, texts: CardTexts) -> Text:
    """Render one text with stand-ins."""
    section, values = texts.sections[key], {**sample_values(known=True), **_STAND_INS, "tables": texts.tables}
    return Text(key.rpartition("/")[2], *(rendered_line(template, values) for template in (section.title, section.summary)))


def _says(rule: Rule) -> Iterable[str]:
    """Name every text that a rule can ask of its card."""
    yield from (clause.says for clause in _all_of(conditions_of(rule)) if clause.says)
    if rule.says or not any(clause.says for clause in _all_of(conditions_of(rule))):
        yield rule.says


def _all_of(clauses: Iterable[Clause]) -> Iterator[Clause]:
    for clause in clauses:
        yield clause
        yield from _all_of(clause.below)


def _by_rule(results: Iterable[CaseResult]) -> dict[str, tuple[CaseResult, ...]]:
    grouped: dict[str, list[CaseResult]] = {}
    for result in results:
        grouped.setdefault(result.case.rule, []).append(result)
    return {rule: tuple(several) for rule, several in grouped.items()}


def _place(rule: Rule) -> tuple[bool, int, int, str]:
    gravest = ("critical", "warning", "info").index(severities_of(rule)[0])
    return rule.status.value != "active", gravest, rule.priority, rule.id


def _listed(rule: Rule, results: tuple[CaseResult, ...], today: date) -> ListedRule:
    oldest = min(one.checked for one in rule.references)
    return ListedRule(
        id=rule.id,
        title=rule.title,
        status=rule.status.value,
        severities=severities_of(rule),
        hooks=tuple(_HOOKS[hook] for hook in sorted(rule.hooks)),
        version=rule.version,
        checked=oldest,
        is_stale=any(is_stale(one, today) for one in rule.references),
        cases=len(results),
        failed=sum(bool(result.problems) for result in results),
    )


def _threshold(threshold: Threshold, rule: Rule, today: date) -> ShownThreshold:
    source = next((one.title for one in rule.references if one.id == threshold.reference), threshold.reference)
    values = tuple((day, quantity_words(Quantity(value, threshold.unit))) for day, value in threshold.in_force)
    return ShownThreshold(threshold.name.replace("_", " "), quantity_words(threshold.on(today)), values, source, limit_text(threshold))


def _reference(one: Reference, today: date, rules: tuple[str, ...] = ()) -> ShownReference:
    return ShownReference(one.title, one.section, one.url, one.published, one.checked, is_stale(one, today), rules)


def _case(result: CaseResult) -> ShownCase:
    return ShownCase(result.case.name, expected_text(result.case.expect), answer_text(result.outcome), not result.problems)


def _rules_naming(rulebook: Rulebook, words_from: str, name: str) -> tuple[Rule, ...]:
    return tuple(rule for rule in rulebook.rules if name in words_named(rule, words_from))
