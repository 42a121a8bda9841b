"""Floor 2: codes that told nothing while the name beside them told the drug, and names that are nearly one: for those who keep the drug tables.

Only what cannot be about a patient is let through: codes of drug terminologies, and local codes that are short, plain and no
long number. The chart's words never are; the drug stands there by the service's own name.
"""

import re
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from typing import Final

from cds_service.fhir.chart import Chart, MedicationRecord
from cds_service.fhir.elements import Coding, Medication
from cds_service.fhir.terminology import DrugMatch

_TERMINOLOGIES: Final = frozenset(
    [
        "http://www.nlm.nih.gov/research/umls/rxnorm",
        "http://hl7.org/fhir/sid/ndc",
        "http://www.whocc.no/atc",
        "http://fdasis.nlm.nih.gov",
        "http://snomed.info/sct",
    ]
)
"""Systems whose every code is public: it names a product, and nobody."""
_PUBLIC_CODE: Final = re.compile(r"[A-Za-z0-9-]{1,20}")
_LOCAL_CODE: Final = re.compile(r"(?!.*[0-9]{7})[A-Za-z0-9._-]{1,16}")
"""Seven digits in a row could be the number of a record, an order or a telephone."""
_SYSTEM: Final = re.compile(r"(?!.*[0-9]{7})(https?://|urn:)[A-Za-z0-9.:/_-]{1,90}")
_LONGEST_WORD: Final = 80
_SHORTEST_ID: Final = 3


@dataclass(frozen=True, slots=True)
class UnknownCode:
    """A code that no table knows, on an order whose name told the drug `word`; system and code are empty where they are not safe to keep.

    A question mark ends the `word` that a name only nearly spells: such an order was taken for none that a rule concerns.
    """

    system: str
    code: str
    word: str


def unknown_codes(chart: Chart, ids: Collection[str], nearly_named: Callable[[Medication], str]) -> tuple[UnknownCode, ...]:
    """Return the codes of the drafts and listed orders whose drug was told by its name alone, or nearly; `ids` are those of patient and encounter."""
    told = (code for record in (*chart.orders, *chart.medications) for code in _of(record, ids))
    nearly = ((medication, near) for medication in chart.unlisted if (near := nearly_named(medication)))
    return (*told, *(code for medication, near in nearly for code in _codes(medication, f"{near[: _LONGEST_WORD - 1]}?", ids)))


def _of(record: MedicationRecord, ids: Collection[str]) -> Iterator[UnknownCode]:
    has_code = any(coding.code for coding in record.medication.concept.codings)
    if isinstance(record.drug, DrugMatch) and record.drug.matched_by == "name" and has_code:
        yield from _codes(record.medication, record.drug.ingredient[:_LONGEST_WORD], (*ids, record.id))


def _codes(medication: Medication, word: str, ids: Collection[str]) -> Iterator[UnknownCode]:
    """Return the codes of a product that are safe to keep; one without system and code where there is none."""
    forbidden = [one.casefold() for one in ids if len(one) >= _SHORTEST_ID]
    safe = [coding for coding in medication.concept.codings if coding.code and _is_safe(coding, forbidden)]
    yield from (UnknownCode(coding.system, coding.code, word) for coding in safe)
    if not safe:
        yield UnknownCode("", "", word)


def _is_safe(coding: Coding, forbidden: Collection[str]) -> bool:
    """Tell whether a code surely says nothing about a patient."""
    if any(one in coding.code.casefold() for one in forbidden):
        return False
    if coding.system in _TERMINOLOGIES:
        return _PUBLIC_CODE.fullmatch(coding.code) is not None
    return _SYSTEM.fullmatch(coding.system) is not None and _LOCAL_CODE.fullmatch(coding.code) is not None
