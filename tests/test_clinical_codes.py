"""Every code of the drug tables and of the value sets, sent over HTTP: each ends in the finding that its table says, and they are counted."""

import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from tests.clinic import DAILY, OXYCODONE, TABLET_50, Json, call, concept, condition, dosage, findings, listed, order
from tests.terminology_folder import ATC, RULES, RXNORM, UNII, rows

Answer = Callable[[Json], Json]
CODES_OF = {"rxnorm": RXNORM, "atc": ATC, "unii": UNII}
NALTREXONE = order(TABLET_50, dosage(1, "{tbl}", DAILY))
IN_ONE_SIGNING = 12


def drug_codes() -> Iterator[tuple[str, str, frozenset[str]]]:
    """System, code and classes of every code that the drug tables hold; a product's code outranks an ingredient's."""
    told = set()
    for row in (*rows("drugs/products.csv"), *rows("drugs/ndc.csv")):
        code = row.get("ndc11") or row["code"]
        told.add((row["system"], code))
        yield row["system"], code, frozenset(row["classes"].split())
    for row in (*rows("drugs/ingredients.csv"), *rows("drugs/lookalikes.csv")):
        for column, system in CODES_OF.items():
            for code in row[column].split():
                if (system, code) not in told:
                    told.add((system, code))
                    yield system, code, frozenset(row.get("classes", "").split())


DRUG_CODES = list(drug_codes())


def due(classes: frozenset[str]) -> tuple[str, ...]:
    """Severities of the conflict that is due where a drug of these classes stands on the list of a patient who is ordered the other one."""
    if "opioid-agonist" in classes:
        return ("critical",)
    if "opioid-weak" in classes:
        return ("warning",)
    return ("critical",) if "naltrexone" in classes else ()


def conflicts(codes: Sequence[tuple[str, str, frozenset[str]]], answer: Answer) -> dict[tuple[str, str], tuple[str, ...]]:
    """Order each code in one signing, with the other drug on the list, and tell the conflicts of each order."""
    drafts = [order(concept(code=code, system=system)) for system, code, _ in codes]
    is_naltrexone = "naltrexone" in codes[0][2]
    found = findings(answer(call(*drafts, medications=[listed(OXYCODONE if is_naltrexone else TABLET_50)])))
    told = [(finding["order"], finding["severity"]) for finding in found if finding["kind"] == "opioid-conflict"]
    return {
        (system, code): tuple(severity for name, severity in told if name == f"MedicationRequest/{draft['id']}")
        for (system, code, _), draft in zip(codes, drafts, strict=True)
    }


def test_each_code_of_the_drug_tables_ends_in_the_conflict_that_is_due(answer: Answer) -> None:
    told: dict[tuple[str, str], tuple[str, ...]] = {}
    for is_naltrexone in (True, False):
        codes = [one for one in DRUG_CODES if ("naltrexone" in one[2]) is is_naltrexone]
        for first in range(0, len(codes), IN_ONE_SIGNING):
            told |= conflicts(codes[first : first + IN_ONE_SIGNING], answer)
    assert told == {(system, code): due(classes) for system, code, classes in DRUG_CODES}
    tables = ("products", "ndc", "ingredients")
    assert len(told) == len(DRUG_CODES) >= sum(len(rows(f"drugs/{table}.csv")) for table in tables)
    assert Counter(told.values()).keys() == {("critical",), ("warning",), ()}


def members(path: Path) -> list[tuple[str, str, str]]:
    """System, code and match rule of each member of a value set."""
    valueset = json.loads(path.read_text(encoding="utf-8"))
    return [(one["system"], one["code"], one["extension"][0]["valueCode"]) for one in valueset["expansion"]["contains"]]


SETS = {path.stem: members(path) for path in sorted((RULES / "valuesets").glob("*.json"))}
FOUND = {
    "fibromyalgia": (NALTREXONE, {("dose-mismatch", "warning"), ("off-label-standard-dose", "info")}),
    "other-ldn-use": (NALTREXONE, {("off-label-standard-dose", "info")}),
    "pruritus": (NALTREXONE, {("off-label-standard-dose", "info")}),
    "alcohol-dependence": (NALTREXONE, set()),
    "alcohol-use": (NALTREXONE, set()),
    "opioid-dependence": (NALTREXONE, set()),
    "opioid-use": (NALTREXONE, set()),
    "long-term-opioid-use": (NALTREXONE, {("opioid-conflict", "warning")}),
    "opioid-withdrawal": (NALTREXONE, {("opioid-conflict", "warning")}),
    "opioid-agonist-therapy": (NALTREXONE, {("opioid-conflict", "warning")}),
    "severe-liver-disease": (NALTREXONE, {("liver-disease", "warning")}),
    "liver-caution": (NALTREXONE, {("liver-disease", "info")}),
    "pregnancy-lactation": (NALTREXONE, {("pregnancy-lactation", "info")}),
    "obesity": (NALTREXONE, {("missing-indication", "info")}),
    "not-the-condition": (NALTREXONE, {("missing-indication", "info")}),
}
"""What a 50 mg order says of a patient who has one condition of the set and no other."""


def test_each_value_set_has_its_finding() -> None:
    assert set(FOUND) == set(SETS)
    assert sum(len(codes) for codes in SETS.values()) >= 109


@pytest.mark.parametrize("name", SETS)
def test_each_member_of_a_value_set_ends_in_the_finding_of_its_set(name: str, answer: Answer) -> None:
    draft, expected = FOUND[name]
    told = {}
    for system, code, match in SETS[name]:
        for sent in {code, f"{code}1" if match == "prefix" else code, code.replace(".", "") if "icd" in system else code}:
            found = findings(answer(call(draft, conditions=[condition(concept(code=sent, system=system))])))
            told[system, sent] = {(finding["rule"], finding["severity"]) for finding in found}
    assert {key: pairs for key, pairs in told.items() if not (pairs >= expected if expected else pairs == expected)} == {}
    assert len(told) >= len(SETS[name])
