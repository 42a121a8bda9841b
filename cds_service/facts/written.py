"""Floor 3: what an order says in words joined to what it says in elements: structure beats text, and a contradiction is told."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Final

from cds_service.facts.coverage import standing_of
from cds_service.facts.sig import SigReading, read_sig
from cds_service.facts.steps import lines_of, steps
from cds_service.fhir.chart import Chart, MedicationRecord
from cds_service.fhir.elements import Dosage
from cds_service.fhir.terminology import DrugMatch
from cds_service.quantities import Quantity, QuantityRange
from cds_service.unknown import Unknown

_MOST_ENDED: Final = 20
"""Texts of ended orders of other drugs that are read, so that a long history costs no time; the rest stays without an end, which warns."""


def texts_read(chart: Chart, drug_words: frozenset[str], today: date) -> Chart:
    """Return the chart with the dosing texts of its drafts, and of some earlier orders, read by `with_text`.

    Earlier orders are those of the same drugs, and the newest of those that are over and name no end in elements: the text of a
    short course ("for 5 days") tells when it was.
    """
    ingredients = {order.drug.ingredient for order in chart.orders if isinstance(order.drug, DrugMatch)}
    open_ended = _newest_open_ended(chart.medications)
    return replace(
        chart,
        orders=tuple(with_text(order, drug_words, today) for order in chart.orders),
        medications=tuple(
            with_text(record, drug_words, today)
            if isinstance(record.drug, DrugMatch) and (record.drug.ingredient in ingredients or record.where in open_ended)
            else record
            for record in chart.medications
        ),
    )


def _newest_open_ended(records: Sequence[MedicationRecord]) -> frozenset[str]:
    """Name the places of the newest orders that are over, have a text, and name neither supply, repeats nor end in elements."""
    found = [
        record
        for record in records
        if isinstance(record.drug, DrugMatch)
        and standing_of(record) == "over"
        and record.supply is None
        and not record.repeats_allowed
        and not (record.validity and record.validity.end)
        and any(line.text or line.patient_instruction for line in record.dosages)
    ]
    newest = sorted(found, key=lambda record: record.authored_on or date.min, reverse=True)[:_MOST_ENDED]
    return frozenset(record.where for record in newest)


def with_text(record: MedicationRecord, drug_words: frozenset[str], today: date) -> MedicationRecord:
    """Return the record with its dosing texts read: as its dosage where it has words alone, else to complete and to check it.

    `drug_words` are lower-case words of drug names, which say nothing about the dose. A text that is not surely understood
    changes nothing but `text_refused`; one that contradicts the elements changes nothing but `text_contradicts`.
    """
    if not record.dosages or record.dropped or any(line.dropped for line in record.dosages) or isinstance(record.drug, Unknown):
        return record
    readings = [_read(line, record.drug, drug_words) for line in record.dosages]
    silent = [
        line.is_silent or (line.is_limit_at_most and _tells_dose(reading)) for line, reading in zip(lines_of(record), readings, strict=True)
    ]
    if all(silent):
        joined = _from_text(record, readings)
    elif len(record.dosages) > 1:
        joined = _line_by_line(record, readings, silent, today)
    else:
        joined = _beside_text(record, readings[0], today)
    return replace(joined, text_contradicts=True) if _instruction_contradicts(record, joined, drug_words, today) else joined


def _tells_dose(reading: SigReading | Unknown) -> bool:
    return isinstance(reading, SigReading) and all(dosage.doses for dosage in reading.dosages)


def _read(line: Dosage, drug: DrugMatch, drug_words: frozenset[str]) -> SigReading | Unknown:
    """Read the text of one line, the instruction for the patient where it has no other; what it allows counts as a step."""
    reading = read_sig(line.text or line.patient_instruction, drug_words, _piece_mg(drug))
    return reading if isinstance(reading, Unknown) else replace(reading, dosages=reading.furthest, allowed=())


def _piece_mg(drug: DrugMatch) -> Decimal | None:
    """Return the mass in one counted unit of the product, where it is known."""
    strength = drug.strength
    return strength.value if isinstance(strength, Quantity) and strength.unit == "mg/{piece}" else None


def _from_text(record: MedicationRecord, readings: list[SigReading | Unknown]) -> MedicationRecord:
    """Take the dosage of an order of words alone from its words; all of them must be understood."""
    refused = next((reading for reading in readings if isinstance(reading, Unknown)), None)
    if refused:
        return replace(record, text_refused=refused)
    read = [reading for reading in readings if isinstance(reading, SigReading)]
    if len(read) == 1:
        return replace(record, dosages=tuple(_keeping(record.dosages[0], line) for line in read[0].dosages))
    if any(len(reading.dosages) != 1 for reading in read):
        return replace(record, text_refused=Unknown("sig-ambiguous"))
    lines = zip(record.dosages, read, strict=True)
    return replace(record, dosages=tuple(replace(_keeping(line, text.dosages[0]), sequence=line.sequence) for line, text in lines))


def _keeping(line: Dosage, read: Dosage) -> Dosage:
    """Keep of the sent line what the text does not say."""
    return replace(
        read,
        text=line.text,
        patient_instruction=line.patient_instruction,
        is_as_needed=read.is_as_needed or line.is_as_needed,
        as_needed_for=line.as_needed_for,
        route=read.route if read.route.text else line.route,
        max_dose_per_period=read.max_dose_per_period or line.max_dose_per_period,
    )


def _beside_text(record: MedicationRecord, reading: SigReading | Unknown, today: date) -> MedicationRecord:
    """Complete a line of elements from its text, or note that the two, or the text and the product, contradict each other."""
    line = record.dosages[0]
    if isinstance(reading, Unknown):
        return record
    if len(reading.dosages) == 1:
        read = reading.dosages[0]
        filled = replace(record, dosages=(_filled(line, read),))
        written = replace(record, dosages=(_completed(read, line),))
        contradicts = _differ(record, written, today) or lines_of(written)[0].contradicts
        return replace(record, text_contradicts=True) if contradicts else filled
    return _steps_in_text(record, reading, today)


def _line_by_line(record: MedicationRecord, readings: list[SigReading | Unknown], silent: list[bool], today: date) -> MedicationRecord:
    """Join each of several lines to its own text, where that tells of one dose and the line is no part of a week.

    A line of words alone stays as it is: it may say again what another line says in elements.
    """
    lines = []
    for line, reading, is_silent in zip(record.dosages, readings, silent, strict=True):
        alone = replace(record, dosages=(line,))
        is_part_of_week = line.timing is not None and bool(line.timing.day_of_week)
        tells_one = isinstance(reading, SigReading) and len(reading.dosages) == 1
        lines.append(_beside_text(alone, reading, today) if tells_one and not is_silent and not is_part_of_week else alone)
    dosages = tuple(line.dosages[0] for line in lines)
    return replace(record, dosages=dosages, text_contradicts=any(line.text_contradicts for line in lines))


def _instruction_contradicts(record: MedicationRecord, joined: MedicationRecord, drug_words: frozenset[str], today: date) -> bool:
    """Tell whether the one instruction for the patient, beside a text of its own, surely states another dose than the order."""
    if len(record.dosages) != 1 or len(joined.dosages) != 1 or isinstance(record.drug, Unknown):
        return False
    line = record.dosages[0]
    if not line.text or not line.patient_instruction:
        return False
    reading = _read(replace(line, text=""), record.drug, drug_words)
    if isinstance(reading, Unknown) or len(reading.dosages) != 1 or not reading.dosages[0].doses:
        return False
    return _differ(joined, replace(joined, dosages=(_completed(reading.dosages[0], joined.dosages[0]),)), today)


def _filled(line: Dosage, read: Dosage) -> Dosage:
    """Add to a line the dose, the timing or the time of day that only its text gives."""
    if not line.doses or line.timing is None:
        return replace(line, doses=line.doses or read.doses, timing=line.timing or read.timing)
    says_when = line.timing.when or line.timing.time_of_day or line.timing.code
    if says_when or read.timing is None or not (read.timing.when or read.timing.time_of_day):
        return line
    return replace(line, timing=replace(line.timing, when=read.timing.when, time_of_day=read.timing.time_of_day))


def _completed(read: Dosage, line: Dosage) -> Dosage:
    """Add to a text the dose or the timing that only the elements give, so that the two can be compared."""
    return replace(read, doses=read.doses or line.doses, timing=read.timing or line.timing)


def _steps_in_text(record: MedicationRecord, reading: SigReading, today: date) -> MedicationRecord:
    """Take a titration from the text where the elements give its first or its last step; else the two contradict each other."""
    written = replace(record, dosages=tuple(_keeping(record.dosages[0], line) for line in reading.dosages))
    sent, told = steps(record, today)[-1].daily, steps(written, today)
    if isinstance(sent, Unknown) or sent in (told[0].daily, told[-1].daily):
        return written
    return replace(record, text_contradicts=True)


def _differ(record: MedicationRecord, written: MedicationRecord, today: date) -> bool:
    """Tell whether two readings surely give different daily doses."""
    sent, told = steps(record, today)[-1].daily, steps(written, today)[-1].daily
    if isinstance(sent, QuantityRange) and isinstance(told, QuantityRange):
        return sent.high < told.low or told.high < sent.low
    return False
