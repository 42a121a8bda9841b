"""Floor 3: the registry of facts: the one list from which loader, JSON Schema, fact reference and case files are made."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal

from cds_service.quantities import QuantityRange
from cds_service.unknown import Unknown

Words = frozenset[str]
Item = Mapping[str, "Fact"]
"""One exposure: its attributes by name, without the "exposures." in front."""
Value = bool | QuantityRange | Words | str | Unknown
FactType = Literal["truth", "quantity", "words", "text"]


@dataclass(frozen=True, slots=True)
class Fact:
    """A value with the resources that it rests on ("draftOrders.entry[0] MedicationRequest/1 dosageInstruction[0]")."""

    value: Value
    rests_on: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class FactKind:
    """What a rule may know about a fact: its type, unit, allowed words and meaning.

    `words_from` names the source of the allowed words: "drug-classes", "valuesets", or "" where `words` lists them
    ("" and empty: any word). `text` facts can stand in a card, never in a rule.
    """

    name: str
    type: FactType
    about: str
    unit: str = ""
    words: tuple[str, ...] = ()
    words_from: str = ""
    reads: tuple[str, ...] = ()
    """Kinds of prefetched data that the fact rests on ("conditions", "medications", "history", "patient")."""


_ROUTES: Final = (
    "oral", "sublingual", "buccal", "topical", "transdermal", "intramuscular", "subcutaneous", "intravenous", "nasal", "rectal", "other",
)  # fmt: skip
_CLASSES: Final = ("low-dose", "intermediate", "standard", "unknown", "not-applicable")
_STATES: Final = ("complete", "partial", "missing", "failed")

ORDER_FACTS: Final = (
    FactKind("order.drug", "words", "classes of the ordered product", words_from="drug-classes"),
    FactKind("order.name", "text", "the service's own name of the ordered product"),
    FactKind("order.route", "words", "route of the order, else of the product", words=_ROUTES),
    FactKind("order.daily_dose", "quantity", "dose a day, averaged over the schedule; of a titration, its last step", unit="mg/d"),
    FactKind(
        "order.dose_class",
        "words",
        "class of the daily dose, by the bounds of the manifest; a titration is classed by its last step",
        words=_CLASSES,
    ),
    FactKind("order.highest_daily_dose", "quantity", "high end of the daily dose: the most that may be taken", unit="mg/d"),
    FactKind("order.starting_daily_dose", "quantity", "dose a day of the first step; the daily dose where there is one step", unit="mg/d"),
    FactKind("order.single_dose", "quantity", "largest dose taken at one time", unit="mg"),
    FactKind("order.time_between_doses", "quantity", "average time from one dose to the next, where there is one line", unit="d"),
    FactKind("order.largest_step", "quantity", "largest increase of the daily dose between the steps of this order", unit="mg/d"),
    FactKind("order.shortest_step", "quantity", "shortest time on a step before an increase within this order", unit="d"),
    FactKind("order.has_steps", "truth", "the order holds more than one consecutive step (a titration)"),
    FactKind("order.product_strength", "quantity", "what one counted unit of the ordered product holds", unit="mg"),
    FactKind("order.fits_product", "truth", "each dose can be given with whole or half units of the ordered product"),
    FactKind("order.agrees_with_itself", "truth", "dose, product name, code and calculated dose of the order do not contradict each other"),
    FactKind("order.is_as_needed", "truth", "to be taken as needed"),
    FactKind("order.is_at_bedtime", "truth", "taken at bedtime, in the evening or at night; unknown where no time is given"),
    FactKind("order.is_being_stopped", "truth", "the order stops, cancels or forbids the drug"),
    FactKind("order.is_proposal", "truth", "intent is proposal: never more than information"),
    FactKind("order.is_readable", "truth", "the order was read in full: no element that a rule reads was dropped, right patient, FHIR R4"),
    FactKind("order.drug_is_known", "truth", "the ordered drug could be told at all"),
    FactKind(
        "order.indication",
        "words",
        "value sets of the order's own reason, else of the active problem list",
        words_from="valuesets",
        reads=("conditions",),
    ),
    FactKind(
        "order.indication_source", "words", "where the indication was found", words=("order", "problem-list", "none"), reads=("conditions",)
    ),
    FactKind("order.indication_names", "text", "names of the indications found, from the value sets"),
    FactKind("order.is_first", "truth", "no earlier order of the same drug class is known", reads=("medications", "history")),
    FactKind("order.is_continued", "truth", "another order of the same drug in this signing begins later"),
    FactKind("order.is_renewal", "truth", "the same daily dose as the order before", reads=("medications", "history")),
    FactKind("order.begins", "text", "first day of the order: as it says, else the day on which it was written, else today"),
    FactKind("order.previous_daily_dose", "quantity", "last daily dose of the order before", unit="mg/d", reads=("medications", "history")),
    FactKind(
        "order.increase",
        "quantity",
        "first daily dose of this order less the last one of the order before; below 0 for a decrease",
        unit="mg/d",
        reads=("medications", "history"),
    ),
    FactKind("order.time_on_previous_dose", "quantity", "days since the order before began", unit="d", reads=("medications", "history")),
    FactKind(
        "order.days_since_previous_ended",
        "quantity",
        "days since the last covered day of the latest order before; 0 where it is in use",
        unit="d",
        reads=("medications", "history"),
    ),
)
EXPOSURE_FACTS: Final = (
    FactKind("drug", "words", "classes of the product", words_from="drug-classes"),
    FactKind("name", "text", "the service's own name of the product or of the diagnosis"),
    FactKind("source", "words", "what tells of it", words=("draft", "listed", "condition")),
    FactKind("is_current", "truth", "in use now, or to be started in this signing"),
    FactKind("is_listed_as_active", "truth", "in use by its own status, even where its supply should have run out"),
    FactKind("is_proposed", "truth", "no more than proposed"),
    FactKind("days_since_last_dose", "quantity", "days since the last covered day; 0 where covered today", unit="d"),
    FactKind(
        "days_short_of_opioid_free",
        "quantity",
        "opioid-free days asked for less days since the last dose; above 0 means too early",
        unit="d",
    ),
    FactKind("opioid_free_days", "quantity", "opioid-free days asked for after this drug, from the drug table", unit="d"),
    FactKind("dose_class", "words", "class of its daily dose, where it is of the ordered ingredient", words=_CLASSES),
    FactKind("is_replaced", "truth", "the order names it as the prescription before it: a renewal or step of it, nothing beside it"),
    FactKind("repeats_order", "truth", "a draft of the same product, first day, dose and times as the order"),
)
DATA_FACTS: Final = (
    FactKind("data.conditions", "words", "completeness of the problem list", words=_STATES, reads=("conditions",)),
    FactKind("data.medications", "words", "completeness of the list of current medications", words=_STATES, reads=("medications",)),
    FactKind("data.history", "words", "completeness of recently ended medication orders", words=_STATES, reads=("history",)),
    FactKind("data.patient", "words", "completeness of the patient's own data", words=_STATES, reads=("patient",)),
)
PATIENT_FACTS: Final = (
    FactKind("patient.conditions", "words", "value sets of the active problem list", words_from="valuesets", reads=("conditions",)),
    FactKind("patient.age", "quantity", "whole years since the day of birth", unit="a", reads=("patient",)),
)

FACTS: Final[Mapping[str, FactKind]] = MappingProxyType({kind.name: kind for kind in (*ORDER_FACTS, *DATA_FACTS, *PATIENT_FACTS)})
"""Facts of one order, by name; `exposures` stands apart because it is a list (it reads medications, history, conditions)."""
EXPOSURES: Final[Mapping[str, FactKind]] = MappingProxyType({kind.name: kind for kind in EXPOSURE_FACTS})


@dataclass(frozen=True, slots=True)
class OrderFacts:
    """All facts about one draft order.

    `exposures` are the other drafts, listed medications and telling conditions; `exposures_lack` says which kinds of
    data ("medications", "history", "conditions") were not complete, so that an empty or quiet list proves nothing.
    """

    order: str
    """`MedicationRequest/<id>` of the draft, or its place in the bundle where it has no id."""
    facts: Mapping[str, Fact]
    exposures: tuple[Item, ...] = ()
    exposures_lack: tuple[str, ...] = ()
