"""What the terminology tests share: the shipped files, the indexes over them, and short ways to write a product."""

import csv
from collections.abc import Iterator
from functools import cache
from io import StringIO
from pathlib import Path

import pytest

from cds_service.cli.terminology import read_terminology
from cds_service.fhir.elements import Coding, Concept, Ingredient, Medication
from cds_service.fhir.terminology import ConditionMatch, DrugMatch
from cds_service.terminology import TableConditionIndex, TableDrugIndex, read_condition_index, read_drug_index, site_files
from cds_service.unknown import Unknown

RULES = Path(__file__).parent.parent / "rules"
RXNORM = "http://www.nlm.nih.gov/research/umls/rxnorm"
NDC = "http://hl7.org/fhir/sid/ndc"
ATC = "http://www.whocc.no/atc"
UNII = "http://fdasis.nlm.nih.gov"
HCPCS = "urn:oid:2.16.840.1.113883.6.285"
ICD10CM = "http://hl7.org/fhir/sid/icd-10-cm"
ICD10 = "http://hl7.org/fhir/sid/icd-10"
ICD9 = "http://hl7.org/fhir/sid/icd-9-cm"
SNOMED = "http://snomed.info/sct"


@cache
def files() -> dict[str, str]:
    return read_terminology(RULES)


@cache
def drugs() -> TableDrugIndex:
    return read_drug_index(files())


@cache
def conditions() -> TableConditionIndex:
    return read_condition_index(files())


def rows(path: str) -> list[dict[str, str]]:
    return list(csv.DictReader(StringIO((RULES / path).read_text(encoding="utf-8"), newline="")))


def coded(
    *codings: tuple[str, str] | tuple[str, str, str], text: str = "", form: str = "", ingredients: tuple[Ingredient, ...] = ()
) -> Medication:
    return Medication(Concept(tuple(Coding(*coding) for coding in codings), text), Concept((), form), ingredients)


def found(medication: Medication) -> DrugMatch:
    match = drugs().find(medication)
    assert isinstance(match, DrugMatch), match
    return match


def by_text(text: str) -> DrugMatch:
    return found(coded(text=text))


def classes(match: DrugMatch | Unknown | None) -> str:
    assert isinstance(match, DrugMatch), match
    return " ".join(sorted(match.classes))


def strength(match: DrugMatch | Unknown | None) -> str:
    """Write a strength as "4.5 mg/{piece}", or the reason why there is none."""
    assert isinstance(match, DrugMatch), match
    return match.strength.reason if isinstance(match.strength, Unknown) else f"{match.strength.value} {match.strength.unit}"


def sets_of(*codings: tuple[str, str] | tuple[str, str, str], text: str = "") -> list[str]:
    return [match.valueset for match in conditions().find(Concept(tuple(Coding(*coding) for coding in codings), text))]


def match_of(*codings: tuple[str, str] | tuple[str, str, str], text: str = "") -> ConditionMatch:
    (match,) = conditions().find(Concept(tuple(Coding(*coding) for coding in codings), text))
    return match


@pytest.fixture(scope="module")
def shipped_once() -> Iterator[None]:
    """Spare tests of a site's files the reading of the shipped tables, each time the same."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(site_files, "read_drug_index", lambda rules: drugs() if rules is files() else read_drug_index(rules))
        patched.setattr(
            site_files,
            "read_condition_index",
            lambda rules, site: conditions() if rules is files() and not site else read_condition_index(rules, site),
        )
        yield
