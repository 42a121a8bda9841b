"""Floor 2: the chart as the rules see it: drafts, listed medications, conditions, the patient, and how complete each is."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from types import MappingProxyType

from cds_service.fhir.elements import Concept, Dosage, Medication, Period, RawResource
from cds_service.fhir.terminology import ConditionMatch, DrugMatch
from cds_service.quantities import Quantity
from cds_service.unknown import Unknown


class Completeness(StrEnum):
    """How much of one kind of data was read."""

    COMPLETE = "complete"
    PARTIAL = "partial"
    MISSING = "missing"
    FAILED = "failed"


class Kind(StrEnum):
    """Kinds of data that the service asks for; `medications` are those in force now, `history` those of the recent past."""

    PATIENT = "patient"
    CONDITIONS = "conditions"
    MEDICATIONS = "medications"
    HISTORY = "history"


@dataclass(frozen=True, slots=True)
class MedicationRecord:
    """A request, statement, dispense or administration of one drug.

    `where` names the place in the call for traces ("draftOrders.entry[0] MedicationRequest/1"). `raw` is the cleaned JSON,
    for suggestions that return the clinician's own draft. `dropped` names the elements that a rule reads and that were
    invalid ("status", "authoredOn"). Dates are days in the site's time zone.
    """

    resource_type: str
    id: str
    where: str
    medication: Medication
    drug: DrugMatch | Unknown
    is_draft: bool = False
    status: str = ""
    intent: str = ""
    do_not_perform: bool = False
    is_reported: bool = False
    dosages: tuple[Dosage, ...] = ()
    reasons: tuple[Concept, ...] = ()
    reason_references: tuple[str, ...] = ()
    authored_on: date | None = None
    validity: Period | None = None
    supply: Quantity | None = None
    repeats_allowed: int | None = None
    quantity: Quantity | None = None
    effective: Period | None = None
    prior_prescription: str = ""
    dropped: tuple[str, ...] = ()
    is_of_this_patient: bool = True
    is_readable: bool = True
    """False for a resource of a FHIR version or shape of which only the drug could be read (a DSTU2 MedicationOrder)."""
    raw: RawResource = field(default_factory=lambda: MappingProxyType({}))
    text_refused: Unknown | None = None
    """Why the dosing text was not understood, where the dose depends on it; filled in by facts.written."""
    text_contradicts: bool = False
    """The dosing text surely gives another dose than the elements; filled in by facts.written."""


@dataclass(frozen=True, slots=True)
class ConditionRecord:
    """A Condition with the value sets that it belongs to; statuses are the bare codes, empty where absent."""

    id: str
    where: str
    concept: Concept
    matches: tuple[ConditionMatch, ...]
    clinical_status: str = ""
    verification_status: str = ""
    onset: date | None = None
    abated: date | None = None
    recorded: date | None = None


@dataclass(frozen=True, slots=True)
class Chart:
    """Everything that one call lets the rules see, of one patient; only what concerns a rule is kept."""

    orders: tuple[MedicationRecord, ...] = ()
    """Drafts whose drug concerns a rule or could not be told, in the order sent."""
    selected: frozenset[int] = frozenset()
    """Indexes into `orders` of those to advise on (order-select's selections; all of them at order-sign)."""
    medications: tuple[MedicationRecord, ...] = ()
    unlisted: tuple[Medication, ...] = ()
    """What was ordered or listed and is no drug that a rule concerns, each once: looked at for names that are nearly one."""
    conditions: tuple[ConditionRecord, ...] = ()
    birth_date: date | None = None
    completeness: Mapping[Kind, Completeness] = field(default_factory=lambda: MappingProxyType({}))
