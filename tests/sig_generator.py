"""The compact notation of a sig's meaning that the corpus uses (see sig_corpus.yaml)."""

from cds_service.facts.sig import SigReading
from cds_service.fhir.elements import Dosage, Timing
from cds_service.quantities import QuantityRange, plain
from cds_service.unknown import Unknown

Span = QuantityRange


def notation(reading: SigReading | Unknown) -> str:
    """Write what was read in the notation of the corpus; a refusal as its reason."""
    if isinstance(reading, Unknown):
        return reading.reason
    steps: dict[int | None, list[str]] = {}
    for dosage in reading.dosages:
        steps.setdefault(dosage.sequence, []).append(_dosage(dosage))
    may = f"may {_range(reading.may_increase)}" if reading.may_increase else ""
    flags = " ".join(filter(None, [may, "tolerated" if reading.is_if_tolerated else ""]))
    text = " > ".join(" + ".join(together) for together in steps.values())
    return (f"{text} | {flags}" if flags else text).replace("{piece}", "piece")


def _dosage(dosage: Dosage) -> str:
    doses = "=".join(_range(dose.amount) for dose in dosage.doses) or "-"
    limit = dosage.max_dose_per_period
    top = f"max {plain(limit.numerator.value)} {limit.numerator.unit}/{_period(limit.denominator.value, limit.denominator.unit)}" if limit else ""
    parts = [doses, "@", _timing(dosage.timing), "prn" if dosage.is_as_needed else "", top]
    return " ".join(filter(None, parts))


def _range(amount: QuantityRange) -> str:
    return f"{_ends(amount.low, amount.high)} {amount.unit}"


def _ends(low: object, high: object) -> str:
    ends = [plain(value) if not isinstance(value, int) else str(value) for value in (low, high)]  # type: ignore[arg-type]
    return ends[0] if ends[0] == ends[1] else "-".join(ends)


def _period(value: object, unit: str) -> str:
    number = plain(value)  # type: ignore[arg-type]
    return unit if number == "1" else f"{number}{unit}"


def _timing(timing: Timing | None) -> str:
    if timing is None:
        return "-"
    often = ""
    if timing.frequency is not None and timing.period is not None:
        times = _ends(timing.frequency, timing.frequency_max or timing.frequency)
        every = _ends(timing.period, timing.period_max or timing.period)
        often = f"{times}/{'' if every == '1' else every}{timing.period_unit}"
    length = timing.bounds.length if timing.bounds else None
    parts = [
        often or ("once" if timing.count == 1 else "-"),
        ",".join(timing.when),
        ",".join(timing.time_of_day),
        ",".join(timing.day_of_week),
        f"for {_range(length)}" if length else "",
        f"count {timing.count}" if timing.count and timing.count > 1 else "",
    ]
    return " ".join(filter(None, parts))
