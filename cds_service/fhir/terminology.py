"""Floor 2: what a code or a name means: drugs through the drug index, conditions through value sets."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Literal, Protocol

from cds_service.fhir.elements import Concept, Medication
from cds_service.quantities import Quantity
from cds_service.unknown import Unknown

MatchedBy = Literal["code", "ingredient", "name"]


@dataclass(frozen=True, slots=True)
class DrugMatch:
    """What the drug tables say about an ordered or listed product, and how it was recognised.

    `classes` are the words that rules use ("opioid-agonist", "depot"); `name` is the service's own display
    name; `strength` is what one counted unit holds ("50 mg/{piece}", "1 mg/mL"), from the code or the Medication;
    `opioid_free_days` is the time to be opioid-free after this drug, `Unknown("no-interval")` where the tables give none.
    """

    classes: frozenset[str]
    ingredient: str
    name: str
    matched_by: MatchedBy
    strength: Quantity | Unknown
    opioid_free_days: Decimal | Unknown
    form: str = ""
    route: str = ""
    brand: str = ""
    ingredient_code: str = ""
    """RxNorm ingredient code, where the tables hold a verified one."""
    contradicts: bool = False
    """Code, ingredients and name of the product speak of different drugs or strengths."""


@dataclass(frozen=True, slots=True)
class ConditionMatch:
    """One value set that a condition or a reason belongs to: its id (the word rules use), title and how it was recognised."""

    valueset: str
    title: str
    name: str
    """Display name of the member matched, from the value set; never chart text."""
    matched_by: MatchedBy
    counts_in_remission: bool = False
    """A condition of this set in remission is still an indication (the set says so)."""


class DrugIndex(Protocol):
    """Finds drugs; the shipped tables and a site's own index both answer to this."""

    def find(self, medication: Medication) -> DrugMatch | Unknown | None:
        """Return the match, `None` for a drug that no rule concerns, or `Unknown` where it has no readable code or name."""
        ...

    def nearly_named(self, medication: Medication) -> str:
        """Return the ingredient that the names of an unknown drug nearly spell, empty where none does."""
        ...


class ConditionIndex(Protocol):
    """Finds the value sets that a concept belongs to."""

    def find(self, concept: Concept) -> tuple[ConditionMatch, ...]:
        """Return every value set that holds the concept, by code first, else by name; empty where none does."""
        ...
