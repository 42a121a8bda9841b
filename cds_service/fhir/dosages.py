"""Floor 2: readers of dosage lines: dose, timing, route, as needed; what is invalid in a line is named in it."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import tzinfo
from typing import Any, Final, TypeVar

from cds_service.fhir.elements import Bounds, Concept, Dosage, Dose, Timing
from cds_service.fhir.salvage import LINES, Path
from cds_service.fhir.values import (
    concept,
    days_long,
    is_time,
    listed,
    members,
    mended_time,
    number,
    period,
    quantity,
    quantity_range,
    ratio,
    single,
    text_of,
    whole,
)
from cds_service.quantities import QuantityRange, exactly, unit_named

Losses = list[str]
"""Names of elements that were sent and could not be read, gathered while a resource is read."""
Found = TypeVar("Found")

_WHEN: Final = frozenset(
    [
        "MORN",
        "MORN.early",
        "MORN.late",
        "NOON",
        "AFT",
        "AFT.early",
        "AFT.late",
        "EVE",
        "EVE.early",
        "EVE.late",
        "NIGHT",
        "PHS",
        "IMD",
        "HS",
        "WAKE",
        "C",
        "CM",
        "CD",
        "CV",
        "AC",
        "ACM",
        "ACD",
        "ACV",
        "PC",
        "PCM",
        "PCD",
        "PCV",
    ],
)
"""EventTiming codes of FHIR R4 (and IMD of R5)."""
_WEEKDAYS: Final = frozenset(["mon", "tue", "wed", "thu", "fri", "sat", "sun"])
_GTS: Final = frozenset(["", "http://terminology.hl7.org/CodeSystem/v3-GTSAbbreviation", "urn:oid:2.16.840.1.113883.5.1139"])
MOST_DOSES: Final = 8
"""Doses that are read of one line: an EHR sends one of each type."""
_DOSE_KINDS: Final = ("ordered", "calculated", "admin-amount")
_READ: Final = frozenset(
    ["sequence", "text", "timing", "asNeededBoolean", "asNeededCodeableConcept", "route", "doseAndRate", "maxDosePerPeriod", "dose"],
)
_NOT_READ: Final = frozenset(["extension", "modifierExtension", "id", "userSelected", "version", "fhir_comments"])


def or_lost(found: Found | None, sent: object, name: str, lost: Losses) -> Found | None:
    """Return what was read, and note its name as lost where something was sent and nothing could be read."""
    if found is None and sent is not None:
        lost.append(name)
    return found


def dosages(raw: Mapping[str, Any], dropped: Iterable[Path], zone: tzinfo, most: int) -> tuple[Dosage, ...]:
    """Read the dosage lines of a salvaged resource, in the order sent; a line that was no object is dropped as a whole.

    No more than `most` are read: the next one then stands for the rest, dropped as a whole.
    """
    if raw.get("resourceType") == "MedicationAdministration":
        return _given(raw.get("dosage"), [path for path in dropped if path[0] == "dosage"])
    name = next((name for name in LINES if name in raw), LINES[0])
    lost: dict[int, Losses] = {}
    for path in dropped:
        if path[0] == name and len(path) > 1 and isinstance(path[1], int):
            lost.setdefault(path[1], []).extend(_loss(path, name))
    sent = listed(raw.get(name))
    rest = (Dosage(dropped=(name,)),) if len(sent) > most else ()
    return (*(_dosage(line, name, lost.get(index, []), zone) for index, line in enumerate(sent[:most])), *rest)


def _loss(path: Path, name: str) -> Sequence[str]:
    """Name what a dropped place inside a line belongs to; nothing where no rule reads it."""
    parts = [str(part) for part in path[2:]]
    if not parts:
        return [name]
    if parts[0] not in _READ or any(part in _NOT_READ or part.startswith(("_", "rate")) for part in parts):
        return []
    return [parts[2] if parts[0] == "doseAndRate" and len(parts) > 2 and parts[2].startswith("dose") else parts[0]]  # noqa: PLR2004 - doseAndRate, index, member


def _given(value: Any, dropped: Sequence[Path]) -> tuple[Dosage, ...]:  # noqa: ANN401 - any JSON value
    """Read MedicationAdministration.dosage: what was given once."""
    sent = members(value)
    lost: Losses = [str(path[1]) if len(path) > 1 else "dosage" for path in dropped if not _NOT_READ & set(map(str, path))]
    lost = [one for one in lost if one in _READ or one == "dosage"]
    dose = or_lost(quantity(sent.get("dose")), sent.get("dose"), "dose", lost)
    if not sent and not lost:
        return ()
    given = (Dose("", exactly(dose.value, dose.unit)),) if dose else ()
    return (Dosage(text=text_of(sent.get("text")), route=concept(sent.get("route")), doses=given, dropped=tuple(dict.fromkeys(lost))),)


def _dosage(value: Any, name: str, dropped: Sequence[str], zone: tzinfo) -> Dosage:  # noqa: ANN401 - any JSON value
    """Read one dosage line; `dropped` is what salvaging already took out of it."""
    lost: Losses = list(dropped)
    if not isinstance(value, Mapping):
        return Dosage(dropped=(name,))
    sequence, needed_for = value.get("sequence"), value.get("asNeededCodeableConcept")
    as_needed, route = value.get("asNeededBoolean"), value.get("route")
    limit = single(value.get("maxDosePerPeriod"))
    if as_needed is not None and not isinstance(as_needed, bool):
        lost.append("asNeededBoolean")
    if route is not None and not isinstance(single(route), Mapping | str):
        lost.append("route")
    return Dosage(
        sequence=or_lost(whole(sequence, 0), sequence, "sequence", lost),
        text=text_of(value.get("text")),
        patient_instruction=text_of(value.get("patientInstruction")),
        timing=_timing(single(value.get("timing")), zone, lost),
        is_as_needed=as_needed is True or needed_for is not None,
        as_needed_for=None if needed_for is None else concept(needed_for),
        route=concept(route),
        doses=tuple(_doses(value.get("doseAndRate"), lost)),
        max_dose_per_period=or_lost(ratio(limit), limit, "maxDosePerPeriod", lost),
        dropped=tuple(dict.fromkeys(lost)),  # last, when all has been read
    )


def _doses(value: Any, lost: Losses) -> Iterable[Dose]:  # noqa: ANN401 - any JSON value
    """Read the doses of a line, not more than any line has; a rate alone (an infusion) is none."""
    sent_doses = listed(value)
    if len(sent_doses) > MOST_DOSES:
        lost.append("doseAndRate")
    for one in sent_doses[:MOST_DOSES]:
        sent = members(one)
        if not isinstance(single(one), Mapping):
            lost.append("doseAndRate")
        if "doseQuantity" in sent and (found := or_lost(quantity(sent["doseQuantity"]), sent, "doseQuantity", lost)):
            yield Dose(_dose_kind(sent.get("type")), exactly(found.value, found.unit))
        if "doseRange" in sent and (span := or_lost(quantity_range(sent["doseRange"]), sent, "doseRange", lost)):
            yield Dose(_dose_kind(sent.get("type")), span)


def _dose_kind(value: Any) -> str:  # noqa: ANN401 - any JSON value
    """Read the type of a doseAndRate entry: a known word in any coding or the text, else what was sent, in lower case."""
    sent = concept(value)
    codings = [text for one in sent.codings for text in (one.code, one.display)]
    words = [word.lower() for word in (*codings, sent.text) if word]
    known = (word for word in words if word in _DOSE_KINDS)
    return next(known, words[0] if words else "")


def _timing(value: Any, zone: tzinfo, lost: Losses) -> Timing | None:  # noqa: ANN401 - any JSON value
    """Read when to take it; whatever cannot be read, and a list of single dates (event), is a loss of "timing"."""
    if value is None:
        return None
    sent, unread = members(value), list[str]()
    repeat = members(sent.get("repeat"))
    read = Timing(
        frequency=or_lost(whole(repeat.get("frequency"), 1), repeat.get("frequency"), "timing", unread),
        frequency_max=or_lost(whole(repeat.get("frequencyMax"), 1), repeat.get("frequencyMax"), "timing", unread),
        period=_above_zero(repeat.get("period"), unread),
        period_max=_above_zero(repeat.get("periodMax"), unread),
        period_unit=_period_unit(repeat.get("periodUnit"), unread),
        when=_words(repeat.get("when"), _when, unread),
        time_of_day=_words(repeat.get("timeOfDay"), _time, unread),
        day_of_week=_words(repeat.get("dayOfWeek"), _weekday, unread),
        bounds=_bounds(repeat, zone, unread),
        count=or_lost(whole(repeat.get("count"), 1), repeat.get("count"), "timing", unread),
        code=_timing_code(concept(sent.get("code"))),
    )
    is_misshapen = not isinstance(value, Mapping) or ("repeat" in sent and not isinstance(single(sent["repeat"]), Mapping))
    if unread or is_misshapen or (read == Timing() and "event" in sent):
        lost.append("timing")
    return None if read == Timing() else read


def _above_zero(value: Any, lost: Losses) -> Any:  # noqa: ANN401 - any JSON value; a Decimal or None
    """Read a period: a number above 0."""
    found = number(value)
    return or_lost(found if found is not None and found > 0 else None, value, "timing", lost)


def _period_unit(value: Any, lost: Losses) -> str:  # noqa: ANN401 - any JSON value
    """Read a unit of time as its UCUM code, also from an everyday word."""
    unit = unit_named(text_of(value))
    found = unit.code if unit and unit.dimension == "time" else None
    return or_lost(found, value, "timing", lost) or ""


def _words(value: Any, read: Any, lost: Losses) -> tuple[str, ...]:  # noqa: ANN401 - any JSON value, and a reader of one word
    """Read each word of a list with the reader of one."""
    found = (or_lost(read(text_of(one)) or None, one, "timing", lost) for one in listed(value))
    return tuple(dict.fromkeys(one for one in found if one is not None))


def _when(word: str) -> str:
    """Return an EventTiming code as the specification writes it, or nothing."""
    if word in _WHEN:
        return word
    return word.upper() if word.upper() in _WHEN else ""


def _time(word: str) -> str:
    """Return a time of day with seconds, or nothing."""
    mended = mended_time(word)
    return mended if is_time(mended) else ""


def _weekday(word: str) -> str:
    """Return a day of the week as its code ("mon"), also from its whole English name, or nothing."""
    return word[:3].lower() if word[:3].lower() in _WEEKDAYS and (len(word) == len("mon") or word.lower().endswith("day")) else ""


def _bounds(repeat: Mapping[str, Any], zone: tzinfo, lost: Losses) -> Bounds | None:
    """Read how long a timing holds, from whichever of the three forms was sent."""
    duration, sent_range, sent_period = (repeat.get(f"bounds{form}") for form in ("Duration", "Range", "Period"))
    length = or_lost(days_long(duration), duration, "timing", lost)
    if length:
        return Bounds(length=exactly(length.value, "d"))
    if span := or_lost(_days_range(sent_range), sent_range, "timing", lost):
        return Bounds(length=span)
    days = or_lost(period(single(sent_period), zone), sent_period, "timing", lost)
    return Bounds(days.start, days.end) if days and (days.start or days.end) else None


def _days_range(value: Any) -> QuantityRange | None:  # noqa: ANN401 - any JSON value
    """Read a Range of durations in days."""
    span = quantity_range(value)
    if span is None or (unit := unit_named(span.unit)) is None or unit.dimension != "time":
        return None
    return QuantityRange(span.low * unit.factor, span.high * unit.factor, "d")


def _timing_code(sent: Concept) -> str:
    """Return the GTS abbreviation (BID, Q4H), else the text, else a local coding's name or code."""
    abbreviations = [one.code for one in sent.codings if one.system in _GTS and one.code]
    local = [text for one in sent.codings for text in (one.display, one.code)]
    return next((text for text in (*abbreviations, sent.text, *local) if text), "")
