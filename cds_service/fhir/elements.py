"""Floor 2: the parts of FHIR R4 resources that rules rest on, as frozen data; absent elements are `None` or empty here.

Only the readers of this floor build them, from raw JSON that fhir.resources has validated and salvaging has cleaned.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from cds_service.quantities import Quantity, QuantityRange

RawResource = Mapping[str, Any]
"""A FHIR resource as parsed from JSON, numbers as Decimal or int."""


@dataclass(frozen=True, slots=True)
class Coding:
    """A code in a system; `system` is the canonical URI (OIDs already translated), or empty."""

    system: str
    code: str
    display: str = ""


@dataclass(frozen=True, slots=True)
class Concept:
    """A CodeableConcept: codings in the order sent, and the text (or a reference's display) where one was sent."""

    codings: tuple[Coding, ...] = ()
    text: str = ""


@dataclass(frozen=True, slots=True)
class Ratio:
    """A strength or a rate: numerator per denominator, units as sent (`Quantity.unit` holds the UCUM code or the text)."""

    numerator: Quantity
    denominator: Quantity


@dataclass(frozen=True, slots=True)
class Ingredient:
    """One ingredient of a Medication with its strength, where sent."""

    concept: Concept
    strength: Ratio | None = None


@dataclass(frozen=True, slots=True)
class Medication:
    """What is ordered: the request's own concept or the Medication resource that it refers to, merged."""

    concept: Concept
    form: Concept = Concept()
    ingredients: tuple[Ingredient, ...] = ()
    is_resolved: bool = True
    """False where a reference led nowhere and only its display (or nothing) is known."""


@dataclass(frozen=True, slots=True)
class Dose:
    """One doseAndRate entry: `kind` is "ordered", "calculated", another code as sent, or empty; `amount` in the sent unit."""

    kind: str
    amount: QuantityRange


@dataclass(frozen=True, slots=True)
class Bounds:
    """How long a timing holds: start and end days, or a length in days (low and high may differ)."""

    start: date | None = None
    end: date | None = None
    length: QuantityRange | None = None


@dataclass(frozen=True, slots=True)
class Timing:
    """Timing.repeat and Timing.code of R4; `period_unit` is the UCUM code, `code` the GTS abbreviation or the text."""

    frequency: int | None = None
    frequency_max: int | None = None
    period: Decimal | None = None
    period_max: Decimal | None = None
    period_unit: str = ""
    when: tuple[str, ...] = ()
    time_of_day: tuple[str, ...] = ()
    day_of_week: tuple[str, ...] = ()
    bounds: Bounds | None = None
    count: int | None = None
    code: str = ""


@dataclass(frozen=True, slots=True)
class Dosage:
    """One dosageInstruction; a line without sequence is concurrent with its neighbours (FHIR R4, Dosage.sequence)."""

    sequence: int | None = None
    text: str = ""
    patient_instruction: str = ""
    timing: Timing | None = None
    is_as_needed: bool = False
    as_needed_for: Concept | None = None
    route: Concept = Concept()
    doses: tuple[Dose, ...] = ()
    max_dose_per_period: Ratio | None = None
    dropped: tuple[str, ...] = ()
    """Elements of this line that were invalid and dropped ("timing", "doseQuantity")."""


@dataclass(frozen=True, slots=True)
class Period:
    """Days from start to end, both included; either may be open."""

    start: date | None = None
    end: date | None = None
