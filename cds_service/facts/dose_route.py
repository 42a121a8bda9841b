"""Floor 3: the route of an order in the words of the registry, from display or text; numeric route codes are not read."""

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from cds_service.facts.dose_reasons import told, unknowns_in
from cds_service.facts.registry import Fact, Words
from cds_service.facts.steps import places
from cds_service.facts.timing import is_dropped
from cds_service.fhir.chart import MedicationRecord
from cds_service.fhir.elements import Concept, Dosage
from cds_service.unknown import Unknown

_LONGEST: Final = 200
_WORD: Final = re.compile(r"[a-z]+")
_TABLE: Final = """
    oral oral orally po mouth swallow
    sublingual sublingual sublingually sl
    buccal buccal oromucosal
    topical topical topically top cutaneous skin
    transdermal transdermal transdermally
    intramuscular intramuscular intramuscularly im gluteal intragluteal
    subcutaneous subcutaneous subcutaneously subcut subq sq sc
    intravenous intravenous intravenously iv
    nasal nasal nasally intranasal intranasally
    rectal rectal rectally pr
    other ophthalmic otic vaginal inhalation inhaled enteral gastrostomy nasogastric epidural intrathecal intradermal implant
"""
_FORMS: Final = MappingProxyType(
    {
        "capsule": "oral",
        "capsules": "oral",
        "cap": "oral",
        "cream": "topical",
        "ointment": "topical",
        "patch": "transdermal",
        "suppository": "rectal",
    },
)
"""Dose forms that have one way in; a tablet may be dissolved under the tongue, so it tells nothing."""


def _routes() -> Mapping[str, str]:
    """Spread the table: each word to the registry's word at the head of its row."""
    rows = (line.split() for line in _TABLE.strip().splitlines())
    return MappingProxyType({word: route for route, *words in rows for word in words})


_ROUTES: Final = _routes()


def route_fact(order: MedicationRecord) -> Fact:
    """Return the routes of an order: as its instructions say, else as the product and its form do."""
    asked = [(where, _of_dosage(dosage)) for where, dosage in zip(places(order), order.dosages, strict=False)]
    said = [(where, routes) for where, routes in asked if routes]
    if said:
        routes = [route for _, route in said]
        unknown = unknowns_in(routes)
        value = told(unknown) if unknown else frozenset[str]().union(*(words for words in routes if not isinstance(words, Unknown)))
        return Fact(value, tuple(where for where, _ in said))
    product = _of_product(order)
    return Fact(product or Unknown("no-route"), (f"{order.where} medication",))


def _of_dosage(dosage: Dosage) -> Words | Unknown:
    """Routes that one instruction names; empty where it names none."""
    if is_dropped(dosage, "route"):
        return Unknown("unreadable-route")
    if dosage.route == Concept():
        return frozenset()
    codings = dosage.route.codings
    texts = (dosage.route.text, *(coding.display for coding in codings), *(coding.code for coding in codings))
    return next((routes for text in texts if (routes := _named(text))), Unknown("unreadable-route"))


def _of_product(order: MedicationRecord) -> Words:
    """Routes that the product, else its form, implies; empty where neither does."""
    if isinstance(order.drug, Unknown):
        return frozenset()
    forms = frozenset(_FORMS[word] for word in _words(order.drug.form) if word in _FORMS)
    return _named(order.drug.route) or _named(order.drug.form) or forms


def _named(text: str) -> Words:
    """Registry words for the routes that a text names."""
    return frozenset(_ROUTES[word] for word in _words(text) if word in _ROUTES)


def _words(text: str) -> list[str]:
    """Words of a text in small letters, abbreviations without their dots."""
    return _WORD.findall(text[:_LONGEST].lower().replace(".", ""))
