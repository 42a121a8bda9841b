"""Floor 3: the class of a daily dose; drug, bounds and exceptions are data of the manifest."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from cds_service.facts.registry import Words
from cds_service.quantities import QuantityRange, range_in
from cds_service.unknown import Unknown

DEPOT: Final = "depot"
"""The drug class whose dose is never divided by the days it lasts."""
UNKNOWN: Final = "unknown"
NOT_APPLICABLE: Final = "not-applicable"


@dataclass(frozen=True, slots=True)
class DoseClasses:
    """How daily doses of one drug are classed, for the fact `order.dose_class`.

    `bounds` rise: name of the class, its upper limit in mg/d (`None` for the last class), and whether the limit itself
    belongs to it. A product of a class in `not_applicable` has no dose class; a depot always has the class `depot`.
    """

    drug: str
    not_applicable: frozenset[str]
    depot: str
    bounds: tuple[tuple[str, Decimal | None, bool], ...]

    def classify(self, daily: QuantityRange | Unknown, drug_classes: Words | Unknown) -> str:
        """Return the class of a daily dose; a range is classed by its high end, a dose of 0 or less is "unknown"."""
        if isinstance(drug_classes, Unknown):
            return UNKNOWN
        if self.drug not in drug_classes or self.not_applicable & drug_classes:
            return NOT_APPLICABLE
        if DEPOT in drug_classes:
            return self.depot
        dose = None if isinstance(daily, Unknown) else range_in(daily, "mg/d")
        return UNKNOWN if dose is None or dose.high <= 0 else self._class_of(dose.high)

    def _class_of(self, dose: Decimal) -> str:
        for name, limit, is_included in self.bounds:
            if limit is None or dose < limit or (is_included and dose == limit):
                return name
        return UNKNOWN
