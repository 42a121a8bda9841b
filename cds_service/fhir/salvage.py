"""Floor 2: makes one resource valid FHIR R4 for the readers: mends known shapes, drops what is invalid, keeps the rest.

`fhir.resources` (its R4B models serve R4) says what is invalid; only its errors' places are used, never their texts,
which quote the chart.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from types import MappingProxyType
from typing import Any, Final

from fhir.resources.R4B.condition import Condition
from fhir.resources.R4B.medication import Medication
from fhir.resources.R4B.medicationadministration import MedicationAdministration
from fhir.resources.R4B.medicationdispense import MedicationDispense
from fhir.resources.R4B.medicationrequest import MedicationRequest
from fhir.resources.R4B.medicationstatement import MedicationStatement
from fhir.resources.R4B.patient import Patient
from pydantic import BaseModel, ValidationError

from cds_service.fhir.elements import RawResource
from cds_service.fhir.values import fhir_id, listed, members, mended_date, mended_time, single, text_of

MODELS: Final[Mapping[str, type[BaseModel]]] = MappingProxyType(
    {
        "Condition": Condition,
        "Medication": Medication,
        "MedicationAdministration": MedicationAdministration,
        "MedicationDispense": MedicationDispense,
        "MedicationRequest": MedicationRequest,
        "MedicationStatement": MedicationStatement,
        "Patient": Patient,
    },
)
Path = tuple[str | int, ...]
LINES: Final = ("dosageInstruction", "dosage")
"""Names of the dosage lines in requests and dispenses, and in statements."""

_DEEPEST: Final = 24
"""No element that a rule reads lies deeper than 10 levels; nested extensions beyond this are dropped."""
_ROUNDS: Final = 6
_MOST_VALUES: Final = 10_000
_MOST_DIGITS: Final = 300
_DATES: Final = frozenset(
    [
        "abatementDateTime", "authoredOn", "birthDate", "dateAsserted", "effectiveDateTime", "end", "onsetDateTime", "recordedDate", "start",
        "whenHandedOver", "whenPrepared",
    ],
)  # fmt: skip
_CHOICES: Final = (
    ("medicationCodeableConcept", "medicationReference"),
    ("reportedReference", "reportedBoolean"),
    ("effectivePeriod", "effectiveDateTime"),
    ("onsetDateTime", "onsetPeriod", "onsetAge", "onsetRange", "onsetString"),
    ("abatementDateTime", "abatementPeriod", "abatementAge", "abatementRange", "abatementString"),
)
"""Elements of which FHIR allows one; the first one sent stays."""


@dataclass(frozen=True, slots=True)
class Salvaged:
    """A cleaned resource and the places (member names and indexes, as sent) of what was invalid and dropped.

    `is_valid` is False where the library could not be satisfied: `raw` then has the known shapes mended and no more.
    """

    raw: dict[str, Any]
    dropped: tuple[Path, ...] = ()
    is_valid: bool = True


def salvage(raw: RawResource, *, is_validated: bool = True) -> Salvaged:
    """Mend, validate and clean one resource of a type of `MODELS`, for its reader; the resource sent is not changed.

    A dosage line that is invalid as a whole becomes an empty object, so that the other lines keep their index.
    Without `is_validated` the known shapes are mended and the library is not asked.
    """
    clean = reshaped(raw)
    model = MODELS.get(str(clean.get("resourceType")))
    if model is None or not is_validated:
        return Salvaged(clean)
    if _is_huge(clean):
        return Salvaged(clean, is_valid=False)
    clean = _without_endless(clean)
    sent_id = fhir_id(clean.pop("id", None))  # the library refuses ids that a real EHR sends
    found = _validated(model, clean)
    if sent_id:
        found.raw["id"] = sent_id
    return found


def build_validators() -> None:
    """Have the library build its validators now: it leaves that to the first resource, and no call should wait for it."""
    line = {"text": "x", "timing": {"repeat": {"frequency": 1}}, "doseAndRate": [{"doseQuantity": {"value": 1, "unit": "mg"}}]}
    for name in MODELS:
        salvage({"resourceType": name, "status": "active", "code": {"coding": [{"code": "x"}]}, "dosageInstruction": [line]})


def _validated(model: type[BaseModel], clean: dict[str, Any]) -> Salvaged:
    """Ask the library until it finds no more errors, dropping or mending what it names; a bounded number of times."""
    dropped: list[Path] = []
    for _ in range(_ROUNDS):
        errors = _errors(model, clean)
        if errors is None and "contained" in clean:
            clean["contained"] = [one for one in listed(clean["contained"]) if text_of(members(one).get("resourceType")) in MODELS]
            errors = _errors(model, clean)
        if errors is None:
            return Salvaged(clean, tuple(dropped), is_valid=False)
        if not errors:
            return Salvaged(clean, tuple(dropped))
        dropped.extend(_mend(clean, errors))
    return Salvaged(clean, tuple(dropped), is_valid=False)


def _errors(model: type[BaseModel], clean: dict[str, Any]) -> dict[Path, str] | None:
    """Return the type of each error by its place in the resource; `None` where the library itself gives up.

    A required member that is missing at the top, and a choice that is missing there, are no errors here: what a rule
    needs of them is known to be absent, and nothing can be dropped to mend it.
    """
    try:
        model.model_validate(clean)
    except ValidationError as invalid:
        places = ((_place(clean, error["loc"], error["type"]), error["type"]) for error in invalid.errors(include_url=False))
        return {place: kind for place, kind in places if place}
    except (KeyError, RecursionError, TypeError, AttributeError):
        return None  # an unknown type among the contained resources, or a shape that the library trips over
    return {}


def _place(clean: Mapping[str, Any], loc: tuple[int | str, ...], kind: str) -> Path:
    """Follow an error's location as far as the resource has it; of a missing member, the object that lacks it."""
    found: list[str | int] = []
    here: Any = clean
    for part in loc:
        name = f"_{part.removesuffix('__ext')}" if isinstance(part, str) and part.endswith("__ext") else part
        if not _has(here, name):
            break
        here = here[name]
        found.append(name)
    is_missing_below = kind.endswith("missing") and len(found) == len(loc)
    return tuple(found[:-1]) if is_missing_below else tuple(found)


def _has(here: Any, name: str | int) -> bool:  # noqa: ANN401 - any JSON value
    """Tell whether an object has a member or an array an index."""
    if isinstance(name, int):
        return isinstance(here, list) and 0 <= name < len(here)
    return isinstance(here, dict) and name in here


def _mend(clean: dict[str, Any], errors: Mapping[Path, str]) -> Iterable[Path]:
    """Wrap, unwrap, trim or drop each erroneous element, the last index first; yield the places of those dropped."""
    for path in sorted(errors, key=_order, reverse=True):
        parent: Any = clean
        for part in path[:-1]:
            parent = parent[part] if _has(parent, part) else None
        if not _has(parent, path[-1]):
            continue
        value = parent[path[-1]]
        if errors[path] == "list_type" and isinstance(value, dict | str):
            parent[path[-1]] = [value]
        elif errors[path] != "list_type" and isinstance(value, list) and len(value) == 1:
            parent[path[-1]] = value[0]
        elif isinstance(value, str) and value.strip() not in ("", value):
            parent[path[-1]] = value.strip()  # a code with white space around it
        else:
            _drop(parent, path)
            yield path


def _drop(parent: Any, path: Path) -> None:  # noqa: ANN401 - an object or an array
    """Take one element out; a dosage line leaves an empty object behind."""
    is_line = len(path) == len(("line", "index")) and path[0] in LINES and isinstance(parent, list)
    if is_line:
        parent[path[-1]] = {}
    else:
        del parent[path[-1]]


def _order(path: Path) -> tuple[tuple[int, str], ...]:
    """Sort places so that indexes compare as numbers and a place stands before what lies inside it."""
    return tuple((part, "") if isinstance(part, int) else (-1, part) for part in path)


def reshaped(raw: RawResource) -> dict[str, Any]:
    """Return a copy without nulls and empty members, with the shapes of other FHIR versions and known slips in R4 shape."""
    clean: dict[str, Any] = pruned(dict(raw))
    _rename_r5(clean)
    if "subject" not in clean and "patient" in clean:
        clean["subject"] = clean.pop("patient")  # DSTU2
    for name in ("subject", "medicationReference"):
        if isinstance(clean.get(name), str):
            clean[name] = {"reference": clean[name]}
    for name in ("medicationCodeableConcept", "clinicalStatus", "verificationStatus"):
        if isinstance(clean.get(name), str):
            clean[name] = {"coding": [{"code": clean[name]}]} if name.endswith("Status") else {"text": clean[name]}
    if clean.get("taken") == "n":
        clean["status"] = "not-taken"  # STU3
    for name in LINES:
        if name in clean and clean.get("resourceType") != "MedicationAdministration":
            clean[name] = [_line(line) for line in listed(clean[name])]
    for names in _CHOICES:
        _choose(clean, names)
    return clean


def _rename_r5(clean: dict[str, Any]) -> None:
    """Give R5's CodeableReferences and booleans their R4 names, unless R4's are there."""
    medication = members(clean.pop("medication", None))
    reasons = [members(one) for one in listed(clean.pop("reason", None))]
    found = {
        "medicationCodeableConcept": medication.get("concept") or (medication if {"coding", "text"} & set(medication) else None),
        "medicationReference": medication if isinstance(medication.get("reference"), str) else medication.get("reference"),
        "reasonCode": [one["concept"] for one in reasons if "concept" in one],
        "reasonReference": [one["reference"] for one in reasons if "reference" in one],
        "reportedBoolean": clean.pop("reported", None),
    }
    for name, value in found.items():
        if value:
            clean.setdefault(name, value)


def _line(sent: Any) -> Any:  # noqa: ANN401 - any JSON value
    """Return a dosage line in R4 shape: from a bare text, from STU3's dose beside the timing, from R5's names."""
    if isinstance(sent, str):
        return {"text": sent}
    if not isinstance(sent, dict):
        return sent
    line = dict(sent)
    stu3 = {name: line.pop(name) for name in ("doseQuantity", "doseRange", "rateRatio", "rateRange", "rateQuantity") if name in line}
    if "doseSimpleQuantity" in line:
        stu3["doseQuantity"] = line.pop("doseSimpleQuantity")
    if stu3 and "doseAndRate" not in line:
        line["doseAndRate"] = [stu3]
    if "asNeeded" in line:
        line.setdefault("asNeededBoolean", line.pop("asNeeded"))
    if listed(line.get("asNeededFor")):
        line.setdefault("asNeededCodeableConcept", listed(line.pop("asNeededFor"))[0])
    line.update({name: single(line[name]) for name in ("maxDosePerPeriod", "timing") if name in line})
    _choose(line, ("asNeededCodeableConcept", "asNeededBoolean"))
    return line


def _choose(clean: dict[str, Any], names: tuple[str, ...]) -> None:
    """Keep the first of the elements that exclude each other."""
    for name in [name for name in names if name in clean][1:]:
        del clean[name]


_MENDERS: Final[Mapping[str, Callable[[str], str]]] = MappingProxyType(
    dict.fromkeys(_DATES, mended_date) | {"timeOfDay": mended_time},
)


def pruned(value: Any, depth: int = 0, name: str = "") -> Any:  # noqa: ANN401 - any JSON value
    """Copy a JSON value without nulls, empty texts, objects and arrays, and without what lies too deep; mend dates."""
    if isinstance(value, str):
        return _MENDERS[name](value) if name in _MENDERS else value
    if not isinstance(value, dict | list):
        return value
    if depth >= _DEEPEST:
        return None
    if isinstance(value, list):
        return [kept for one in value if not _is_empty(kept := pruned(one, depth + 1, name))]
    return {key: kept for key, one in value.items() if not _is_empty(kept := pruned(one, depth + 1, key))}


def _is_empty(value: Any) -> bool:  # noqa: ANN401 - any JSON value
    """Tell what FHIR JSON has no place for; 0 and false are values."""
    return value is None or (not value and isinstance(value, str | list | dict))


def _without_endless(value: Any) -> Any:  # noqa: ANN401 - any JSON value
    """Put a text, which the library names as invalid, for each number of millions of digits, which it would write out."""
    if isinstance(value, dict):
        return {name: _without_endless(member) for name, member in value.items()}
    if isinstance(value, list):
        return [_without_endless(member) for member in value]
    return "endless" if isinstance(value, Decimal) and abs(value.adjusted()) > _MOST_DIGITS else value


def _is_huge(value: Any) -> bool:  # noqa: ANN401 - any JSON value
    """Tell a resource with more values than any order has: the library would be busy for seconds."""
    waiting, seen = [value], 0
    while waiting and seen <= _MOST_VALUES:
        one = waiting.pop()
        seen += 1
        if isinstance(one, dict | list):
            waiting.extend(one.values() if isinstance(one, dict) else one)
    return seen > _MOST_VALUES
