"""Floor 2: single values of FHIR JSON: texts, numbers, days, codes, quantities, references. Nothing here ever raises.

What cannot be read gives `None` or an empty value; the readers of resources decide whether that loss matters.
"""

import re
from calendar import monthrange
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from decimal import Decimal
from types import MappingProxyType
from typing import Any, Final

from cds_service.fhir.elements import Coding, Concept, Period, Ratio
from cds_service.quantities import LARGEST, Quantity, QuantityRange, in_unit, unit_named

UCUM: Final = "http://unitsofmeasure.org"

_SYSTEMS: Final = MappingProxyType(
    {
        "http://www.nlm.nih.gov/research/umls/rxnorm": ("2.16.840.1.113883.6.88",),
        "http://hl7.org/fhir/sid/ndc": ("2.16.840.1.113883.6.69",),
        "http://snomed.info/sct": ("2.16.840.1.113883.6.96",),
        "http://hl7.org/fhir/sid/icd-10-cm": (
            "2.16.840.1.113883.6.90",
            "http://hl7.org/fhir/sid/icd-10-us",
            "http://terminology.hl7.org/CodeSystem/icd10CM",
        ),
        "http://hl7.org/fhir/sid/icd-10": ("2.16.840.1.113883.6.3", "http://terminology.hl7.org/CodeSystem/icd10"),
        "http://hl7.org/fhir/sid/icd-9-cm": (
            "2.16.840.1.113883.6.103",
            "http://terminology.hl7.org/CodeSystem/ICD-9CM-diagnosiscodes",
        ),
        "http://www.whocc.no/atc": ("2.16.840.1.113883.6.73",),
        "http://fdasis.nlm.nih.gov": ("2.16.840.1.113883.4.9",),
        UCUM: ("2.16.840.1.113883.6.8",),
    },
)
"""Canonical URIs (FHIR R4, terminologies-systems) with the OIDs of C-CDA and the other URIs that are sent for them."""
_CANONICAL: Final = MappingProxyType(
    {name.lower(): system for system, others in _SYSTEMS.items() for name in (system, *others)},
)
_SNOMED: Final = "http://snomed.info/sct"

_DATE: Final = re.compile(
    r"([0-9]{4})(?:-([0-9]{2})(?:-([0-9]{2})"
    r"(?:T([0-9]{2}):([0-9]{2})(?::([0-9]{2})(\.[0-9]{1,12})?)?(Z|[+-][0-9]{2}:[0-9]{2})?)?)?)?",
)
_TIME: Final = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])(:[0-5][0-9](?:\.[0-9]{1,12})?)?")
_FHIR_ID: Final = re.compile(r"[A-Za-z0-9.\-]{1,256}")
_UNSAFE: Final = re.compile(r"[^A-Za-z0-9._\-]")
_EARLIEST_YEAR: Final = 1850
_LATEST_YEAR: Final = 2200
"""Years outside are fillers ("9999-12-31", "0001-01-01") or slips: such a day is no day."""
_LONGEST_PLACE: Final = 80
_SMALLEST_MAGNITUDE: Final = -12
_MOST_DIGITS: Final = 60


@dataclass(frozen=True, slots=True)
class Day:
    """A date as sent: the first and the last day that it can mean ("2026-11" means the 1st to the 30th)."""

    first: date
    last: date


def listed(value: Any) -> Sequence[Any]:  # noqa: ANN401 - any JSON value
    """Return an array's items; an object or value sent where FHIR has an array is an array of one, `null` an empty one."""
    if isinstance(value, list | tuple):
        return value
    return () if value is None else (value,)


def single(value: Any) -> Any:  # noqa: ANN401 - any JSON value
    """Return the value itself, or the only item of an array sent where FHIR has a single value."""
    return value[0] if isinstance(value, list) and len(value) == 1 else value


def members(value: Any) -> Mapping[str, Any]:  # noqa: ANN401 - any JSON value
    """Return an object's members, also where it was sent as an array of one; anything else has none."""
    if isinstance(value, dict):
        return value
    inner = single(value)
    return inner if isinstance(inner, Mapping) else {}


def text_of(value: Any) -> str:  # noqa: ANN401 - any JSON value
    """Return a text without surrounding white space; a whole number sent where FHIR has a code is read as its digits."""
    if isinstance(value, str):
        return value.strip()
    is_number = isinstance(value, int) and not isinstance(value, bool) and abs(value) <= LARGEST
    return str(value) if is_number else ""


def number(value: Any) -> Decimal | None:  # noqa: ANN401 - any JSON value
    """Return a number of a size that a dose, a count or a duration can have."""
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        return None
    if isinstance(value, int) and abs(value) > LARGEST:
        return None  # before the costly conversion of a number of a million digits
    exact = Decimal(value)
    if not exact.is_finite() or exact.adjusted() > LARGEST.adjusted() or abs(exact) > LARGEST:
        return None  # by its exponent first: arithmetic with one of millions overflows
    has_sane_size = exact.adjusted() >= _SMALLEST_MAGNITUDE and len(exact.as_tuple().digits) <= _MOST_DIGITS
    return exact if has_sane_size else (Decimal(0) if exact.is_zero() else None)


def whole(value: Any, least: int) -> int | None:  # noqa: ANN401 - any JSON value
    """Return a whole number of at least `least`."""
    found = number(value)
    return int(found) if found is not None and found == found.to_integral_value() and found >= least else None


def day(value: Any, zone: tzinfo) -> Day | None:  # noqa: ANN401 - any JSON value
    """Read a FHIR date, dateTime or instant as a day in the site's time zone; a time without a zone is local."""
    parts = _DATE.fullmatch(value) if isinstance(value, str) else None
    if parts is None or not _EARLIEST_YEAR <= int(parts[1]) <= _LATEST_YEAR:
        return None
    try:
        return _day(parts, zone)
    except ValueError:
        return None


def _day(parts: re.Match[str], zone: tzinfo) -> Day:
    """Turn the matched parts into days; raises ValueError for a day or a time that no calendar has."""
    year, month = int(parts[1]), int(parts[2] or 1)
    if not parts[3]:
        last_month = int(parts[2] or 12)
        return Day(date(year, month, 1), date(year, last_month, monthrange(year, last_month)[1]))
    local = date(year, month, int(parts[3]))
    if parts[4] and parts[8]:
        seconds = min(int(parts[6] or 0), 59)  # a leap second belongs to its minute
        moment = datetime(year, month, local.day, int(parts[4]), int(parts[5]), seconds, tzinfo=_offset(parts[8]))
        local = moment.astimezone(zone).date()
    return Day(local, local)


def _offset(text: str) -> tzinfo:
    """Return the time zone of "Z" or "+05:30"; raises ValueError for an offset of a day or more."""
    if text == "Z":
        return UTC
    length = timedelta(hours=int(text[1:3]), minutes=int(text[4:6]))
    return timezone(-length if text[0] == "-" else length)


def mended_date(value: str) -> str:
    """Give a date that people write but FHIR R4 refuses (no seconds, no zone) a form that it accepts; else unchanged."""
    parts = _DATE.fullmatch(value.strip())
    if parts is None or not parts[4]:
        return value.strip()
    if not parts[8]:
        return value.strip()[:10]
    return value.strip() if parts[6] else f"{value.strip()[:16]}:00{parts[8]}"


def mended_time(value: str) -> str:
    """Give "22:00" the seconds that FHIR R4 asks for; else unchanged."""
    parts = _TIME.fullmatch(value.strip())
    return f"{value.strip()}:00" if parts and not parts[3] else value.strip()


def is_time(value: str) -> bool:
    """Tell whether a text is a time of day as FHIR R4 writes it."""
    parts = _TIME.fullmatch(value)
    return parts is not None and parts[3] is not None


def period(value: Any, zone: tzinfo) -> Period | None:  # noqa: ANN401 - any JSON value
    """Read a Period; a filler date leaves its end open; `None` where an end is no date or comes before the start."""
    if not isinstance(value, Mapping):
        return None
    sent_start, sent_end = value.get("start"), value.get("end")
    start, end = day(sent_start, zone), day(sent_end, zone)
    if any(found is None and sent is not None and not _is_filler(sent) for found, sent in ((start, sent_start), (end, sent_end))):
        return None
    if start and end and end.last < start.first:
        return None
    return Period(start.first if start else None, end.last if end else None)


def _is_filler(value: Any) -> bool:  # noqa: ANN401 - any JSON value
    """Tell whether a date lies outside the years that mean a day."""
    parts = _DATE.fullmatch(value) if isinstance(value, str) else None
    return parts is not None and not _EARLIEST_YEAR <= int(parts[1]) <= _LATEST_YEAR


def canonical_system(system: Any) -> str:  # noqa: ANN401 - any JSON value
    """Return the canonical URI of a code system sent as OID, with https, in capitals or with a slash at the end."""
    sent = text_of(system)
    if sent in _SYSTEMS:
        return sent
    plain = sent.lower().rstrip("/").removeprefix("urn:oid:")
    if plain.startswith("https://"):
        plain = f"http://{plain.removeprefix('https://')}"
    if plain.startswith(f"{_SNOMED}/"):
        return _SNOMED  # an edition or version of SNOMED CT
    return _CANONICAL.get(plain, sent)


def coding(value: Any) -> Coding | None:  # noqa: ANN401 - any JSON value
    """Read a Coding; `None` where it says nothing."""
    sent = members(value)
    code, display = text_of(sent.get("code")), text_of(sent.get("display"))
    return Coding(canonical_system(sent.get("system")), code, display) if code or display else None


def concept(value: Any) -> Concept:  # noqa: ANN401 - any JSON value
    """Read a CodeableConcept; a bare text is a concept without codings, a bare Coding one with that coding alone."""
    inner = single(value)
    if isinstance(inner, str):
        return Concept(text=text_of(inner))
    sent = members(inner)
    codings = sent.get("coding") if "coding" in sent else ([sent] if "code" in sent else None)
    found = (coding(one) for one in listed(codings))
    return Concept(tuple(one for one in found if one is not None), text_of(sent.get("text")))


def reference(value: Any) -> str:  # noqa: ANN401 - any JSON value
    """Return the address of a Reference, or of a bare text sent in its place."""
    inner = single(value)
    return text_of(inner if isinstance(inner, str) else members(inner).get("reference"))


def local_reference(address: str) -> str:
    """Reduce an address to `Type/id`: without server, version, query and fragment; a urn or "#id" stays as it is."""
    if address.startswith(("#", "urn:")):
        return address
    path = address.partition("?")[0].partition("#")[0].partition("/_history/")[0].rstrip("/")
    return "/".join(path.split("/")[-2:])


def fhir_id(value: Any) -> str:  # noqa: ANN401 - any JSON value
    """Return an id of the FHIR alphabet; up to 256 characters, because a real EHR sends them; else empty."""
    sent = text_of(value)
    return sent if _FHIR_ID.fullmatch(sent) else ""


def safe_word(text: str) -> str:
    """Reduce an id or a key of a call, which is anybody's text, to letters that are inert in a trace."""
    return _UNSAFE.sub("_", text[:_LONGEST_PLACE])


def quantity(value: Any) -> Quantity | None:  # noqa: ANN401 - any JSON value
    """Read a Quantity; `None` without a number of at least 0, with a comparator, or where unit and code contradict."""
    sent = members(value)
    amount = number(sent.get("value"))
    if amount is None or amount < 0 or sent.get("comparator") is not None:
        return None
    unit = _unit(sent)
    return None if unit is None else Quantity(amount, unit)


def _unit(sent: Mapping[str, Any]) -> str | None:
    """Return the UCUM code where the unit table knows it, else the readable unit; `None` where the two contradict."""
    code, word = text_of(sent.get("code")), text_of(sent.get("unit"))
    by_code, by_word = unit_named(code), unit_named(word)
    is_ucum = canonical_system(sent.get("system")) == UCUM
    if by_code and by_word and is_ucum and (by_code.dimension, by_code.factor) != (by_word.dimension, by_word.factor):
        return None
    if by_code and is_ucum:
        return code
    if by_word or not by_code:
        return word or code
    return code


def quantity_range(value: Any) -> QuantityRange | None:  # noqa: ANN401 - any JSON value
    """Read a Range; without `low` ("up to 2") its limit counts, without `high` it has no limit and is not readable."""
    sent = members(value)
    high = quantity(sent.get("high"))
    low = quantity(sent["low"]) if "low" in sent else high
    if high is None or low is None:
        return None
    unit = low.unit or high.unit
    limit = high.value if high.unit in ("", unit) else in_unit(high, unit)
    return QuantityRange(low.value, limit, unit) if limit is not None and low.value <= limit else None


def ratio(value: Any) -> Ratio | None:  # noqa: ANN401 - any JSON value
    """Read a Ratio; a denominator with a unit and no number counts one of it; nothing is divided by 0."""
    sent = members(value)
    below = dict(members(sent.get("denominator")))
    if below and "value" not in below:
        below["value"] = 1
    numerator, denominator = quantity(sent.get("numerator")), quantity(below)
    if numerator is None or denominator is None or denominator.value == 0:
        return None
    return Ratio(numerator, denominator)


def days_long(value: Any, assumed_unit: str = "") -> Quantity | None:  # noqa: ANN401 - any JSON value
    """Read a Duration as days; `assumed_unit` stands for a missing one where the element's name tells it."""
    sent = quantity(value)
    if sent is None:
        return None
    length = in_unit(Quantity(sent.value, sent.unit or assumed_unit), "d")
    return None if length is None else Quantity(length, "d")
