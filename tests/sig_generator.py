"""Sigs with known meaning from a seed, and the compact notation of a meaning that the corpus uses (see sig_corpus.yaml)."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from decimal import Decimal
from random import Random
from typing import Final

from cds_service.facts.sig import SigReading
from cds_service.fhir.elements import Dosage, Timing
from cds_service.quantities import QuantityRange, plain
from cds_service.unknown import Unknown


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


def notation_in_full(reading: SigReading | Unknown) -> str:
    """Write what was read with the routes, and with what is allowed as steps, each with the time after which it is."""
    if isinstance(reading, Unknown):
        return reading.reason
    routes = sorted({dosage.route.text for dosage in reading.dosages} - {""})
    parts = [notation(reading), *(f"by {route}" for route in routes)]
    if reading.allowed:
        parts.append(f"|| {notation(replace(reading, dosages=reading.furthest, allowed=()))}")
        parts += [f"after {_range(one.after)}" for one in reading.allowed if one.after]
    return " ".join(parts)


def _dosage(dosage: Dosage) -> str:
    doses = "=".join(_range(dose.amount) for dose in dosage.doses) or "-"
    limit = dosage.max_dose_per_period
    top = ""
    if limit:
        top = f"max {plain(limit.numerator.value)} {limit.numerator.unit}/{_every(limit.denominator.value)}{limit.denominator.unit}"
    parts = [doses, "@", _timing(dosage.timing), "prn" if dosage.is_as_needed else "", top]
    return " ".join(filter(None, parts))


def _range(amount: QuantityRange) -> str:
    return f"{_ends(amount.low, amount.high)} {amount.unit}"


def _ends(low: Decimal, high: Decimal) -> str:
    return plain(low) if low == high else f"{plain(low)}-{plain(high)}"


def _every(period: Decimal) -> str:
    return "" if period == 1 else plain(period)


def _timing(timing: Timing | None) -> str:
    if timing is None:
        return "-"
    often = ""
    if timing.frequency is not None and timing.period is not None:
        times = _ends(Decimal(timing.frequency), Decimal(timing.frequency_max or timing.frequency))
        every = _every(timing.period) if timing.period_max is None else _ends(timing.period, timing.period_max)
        often = f"{times}/{every}{timing.period_unit}"
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


@dataclass(frozen=True, slots=True)
class Sig:
    """A generated text, its class, and what it means: the notation, or empty where it must be refused."""

    kind: str
    text: str
    meaning: str


_EN_DASH: Final = "\u2013"
_VERBS: Final = ("Take", "take", "", "Give", "Please take", "TAKE")
_ROUTES: Final = ("", "by mouth", "po", "orally", "PO", "by oral route")
_WORDS: Final = {
    "1": ["one"],
    "2": ["two", "2 (two)"],
    "3": ["three", "three (3)"],
    "0.5": ["1/2", "one-half", ".5", "0,5", "½"],
    "1.5": ["1 1/2", "1-1/2", "1½"],
}
_TIMINGS: Final = (
    ("1/d", ("daily", "once daily", "qd", "every day", "once a day", "1 time a day", "each day", "q.d.")),
    (
        "1/d HS",
        (
            "at bedtime",
            "qhs",
            "nightly at bedtime",
            "every night at bedtime",
            "hs",
            "before bed",
            "daily at bedtime",
            "30 minutes before bedtime",
        ),
    ),
    ("1/d NIGHT", ("nightly", "every night", "at night", "once nightly", "each night")),
    ("1/d MORN", ("every morning", "qam", "in the morning", "q am", "once daily in the morning")),
    ("2/d", ("twice daily", "bid", "two times a day", "2 times per day", "2x daily", "b.i.d.")),
    ("3/d", ("three times a day", "tid", "3 times daily", "3x/day")),
    ("1-2/d", ("1-2 times daily", "once or twice a day", "one to two times a day")),
    ("1/8h", ("every 8 hours", "q8h", "q 8 hrs", "every eight hours")),
    ("1/4-6h", ("every 4-6 hours", "q4-6h", "every 4 to 6 hours")),
    ("1/2d", ("every other day", "qod", "every 2 days", "on alternate days")),
    ("1/3d", ("every 3 days", "every third day", "q3d")),
    ("3/wk", ("three times a week", "3 times weekly", "3x/week", "tiw")),
    ("1/d mon,wed,fri", ("on Mon, Wed and Fri", "Mon Wed Fri", "every Monday, Wednesday, and Friday", "MWF")),
    ("1/d mon,tue,wed,thu,fri", ("on weekdays", "Monday through Friday", "Mon-Fri")),
    ("2/d MORN,HS", ("in the morning and at bedtime", "twice daily, in the morning and at bedtime")),
    ("1/d 21:00", ("at 9 pm", "daily at 9pm", "every day at 21:00", "at 9:00 PM")),
    ("1/d CM", ("with breakfast", "daily with breakfast")),
)
_FILLERS: Final = ("", "", "", "with food", "with a full glass of water", "for pain", "as directed", "swallow whole", "for fibromyalgia")
_LENGTHS: Final = (
    ("7 d", ("for 7 days", "x7d", "x 7 days", "for seven days")),
    ("2 wk", ("for 2 weeks", "x 2 wks", "for two weeks", "x2wk")),
    ("1 mo", ("for 1 month",)),
)


def _amount(rng: Random, value: str) -> str:
    """Write a number in one of its ways."""
    return rng.choice([value, *_WORDS.get(value, [])])


def _count(rng: Random) -> tuple[str, str]:
    value = rng.choice(["1", "2", "3", "0.5", "1.5"])
    form = rng.choice(
        ["tablet", "tab", "capsule", "cap", "tablet(s)"] if value in ("1", "0.5") else ["tablets", "tabs", "capsules", "caps"]
    )
    return f"{_amount(rng, value)} {form}", f"{value} piece"


def _mass(rng: Random) -> tuple[str, str]:
    value = rng.choice(["0.5", "1", "1.5", "3", "4.5", "25", "50", "100", "1.125"])
    unit, written = rng.choice([("mg", ["mg", "mgs", "milligrams", "MG"]), ("ug", ["mcg", "µg", "micrograms"])])
    return f"{value}{rng.choice(['', ' '])}{rng.choice(written)}", f"{value} {unit}"


def _volume(rng: Random) -> tuple[str, str]:
    value = rng.choice(["0.5", "1", "1.5", "4.5"])
    return f"{value}{rng.choice(['', ' '])}{rng.choice(['mL', 'ml', 'cc'])}", f"{value} mL"


def _amount_range(rng: Random) -> tuple[str, str]:
    low, high = rng.choice([("1", "2"), ("1.5", "4.5"), ("5", "10"), ("0.5", "1")])
    unit, written = rng.choice([("piece", "tabs"), ("piece", "capsules"), ("mg", "mg"), ("mL", "mL")])
    return f"{low}{rng.choice(['-', ' - ', ' to ', _EN_DASH])}{high} {written}", f"{low}-{high} {unit}"


def _both(rng: Random) -> tuple[str, str]:
    each = Decimal(rng.choice(["1.5", "4.5", "25", "50"]))
    count = rng.choice([1, 2, 3])
    total = plain(each * count)
    form = "capsule" if count == 1 else "capsules"
    text = rng.choice(
        [f"{count} {form} ({total} mg total)", f"{count} {form} ({plain(each)} mg each)", f"{count} x {plain(each)} mg {form}"]
    )
    return text, f"{count} piece={total} mg"


_AMOUNTS: Final[tuple[Callable[[Random], tuple[str, str]], ...]] = (_count, _count, _mass, _mass, _volume, _amount_range, _both)


def _dose(rng: Random) -> tuple[str, str]:
    return rng.choice(_AMOUNTS)(rng)


def _when(rng: Random) -> tuple[str, str]:
    meaning, texts = rng.choice(_TIMINGS)
    return rng.choice(texts), meaning


def _joined(rng: Random, *parts: str) -> str:
    """Join phrases with spaces or commas, in random case."""
    text = " ".join(filter(None, parts))
    return rng.choice([text, text, text.upper(), f"{text}.", text.replace(" ", "  ")])


def plain_sig(rng: Random) -> Sig:
    (dose, dosed), (when, timed) = _dose(rng), _when(rng)
    order = [rng.choice(_VERBS), dose, rng.choice(_ROUTES), when, rng.choice(_FILLERS)]
    return Sig("plain", _joined(rng, *order), f"{dosed} @ {timed}")


def as_needed_sig(rng: Random) -> Sig:
    (dose, dosed), (when, timed) = _dose(rng), _when(rng)
    if " and " in when:  # "in the morning and at bedtime as needed" is unclear: is the morning dose as needed?
        when, timed = "qhs", "1/d HS"
    prn = rng.choice(["prn", "as needed", "as needed for pain", "PRN pain", "if needed"])
    return Sig("as-needed", _joined(rng, rng.choice(_VERBS), dose, when, prn), f"{dosed} @ {timed} prn")


def length_sig(rng: Random) -> Sig:
    (dose, dosed), (when, timed), (length, ways) = _dose(rng), _when(rng), rng.choice(_LENGTHS)
    return Sig("length", _joined(rng, rng.choice(_VERBS), dose, when, rng.choice(ways)), f"{dosed} @ {timed} for {length}")


def steps_sig(rng: Random) -> Sig:
    (when, timed), (length, ways) = (
        rng.choice([("at bedtime", "1/d HS"), ("nightly", "1/d NIGHT"), ("daily", "1/d"), ("qam", "1/d MORN")]),
        rng.choice(_LENGTHS),
    )
    unit, written = rng.choice([("mg", "mg"), ("piece", "capsules"), ("mL", "mL")])
    first = rng.choice([1, 2, 3])
    amounts = [first * number for number in range(1, rng.choice([3, 4]))]
    lengths = [rng.choice(ways) for _ in amounts[:-1]] + [""]
    steps = [" ".join(filter(None, [f"{amount} {written}", when, length])) for amount, length in zip(amounts, lengths, strict=True)]
    text = rng.choice([", then ", " then ", "; then increase to ", ", THEN "]).join(steps)
    meanings = [f"{amount} {unit} @ {timed}{f' for {length}' if ends else ''}" for amount, ends in zip(amounts, lengths, strict=True)]
    return Sig("steps", _joined(rng, rng.choice(_VERBS), text), " > ".join(meanings))


def climb_sig(rng: Random) -> Sig:
    by, count = rng.choice(["0.5", "1", "1.5"]), rng.choice([2, 3, 4])
    every, length = rng.choice(
        [("every 2 weeks", "2 wk"), ("weekly", "1 wk"), ("every 7 days", "7 d"), ("q2wk", "2 wk"), ("every week", "1 wk")]
    )
    amounts = [plain(Decimal(by) * number) for number in range(1, count + 1)]
    goal = rng.choice(["to", "up to", "until", "to a maximum of", "to target dose of"])
    is_allowed = rng.random() < 0.3
    change = (
        rng.choice(["may increase", "can increase"])
        if is_allowed
        else rng.choice(["increase", "then increase", "titrate up", "and increase"])
    )
    text = f"{rng.choice(['Start', 'Take', 'Begin'])} {by} mg at bedtime, {change} by {by} mg {every} {goal} {amounts[-1]} mg"
    steps = [f"{amount} mg @ 1/d HS" for amount in amounts]
    if is_allowed:
        return Sig("may-increase", _joined(rng, text), f"{steps[0]} | may {amounts[-1]} mg")
    return Sig("climb", _joined(rng, text), " > ".join([*(f"{step} for {length}" for step in steps[:-1]), steps[-1]]))


def together_sig(rng: Random) -> Sig:
    (one, one_told), (two, two_told) = _mass(rng), _mass(rng)
    pairs = [("qam", "1/d MORN", "qhs", "1/d HS"), ("in the morning", "1/d MORN", "at bedtime", "1/d HS")]
    pairs += [("on weekdays", "1/d mon,tue,wed,thu,fri", "on Saturday", "1/d sat"), ("at 8 am", "1/d 08:00", "at 8 pm", "1/d 20:00")]
    first, first_told, second, second_told = rng.choice(pairs)
    text = f"{one} {first}{rng.choice([' and ', ', ', ' plus ', ', and ', ' & '])}{two} {second}"
    return Sig("together", _joined(rng, rng.choice(_VERBS), text), f"{one_told} @ {first_told} + {two_told} @ {second_told}")


def limit_sig(rng: Random) -> Sig:
    (when, timed), top = rng.choice([("q6h prn", "1/6h prn"), ("every 4-6 hours as needed", "1/4-6h prn")]), rng.choice([2, 4, 6])
    way, told = rng.choice(
        [
            ("max {} tabs/day", "d"),
            ("not to exceed {} tablets in 24 hours", "24h"),
            ("no more than {} tablets per day", "d"),
            ("max {}/day", "d"),
        ]
    )
    return Sig("limit", _joined(rng, rng.choice(_VERBS), f"1 tab {when}, {way.format(top)}"), f"1 piece @ {timed} max {top} piece/{told}")


def depot_sig(rng: Random) -> Sig:
    every, told = rng.choice(
        [
            ("every 4 weeks", "1/4wk"),
            ("q4wk", "1/4wk"),
            ("monthly", "1/mo"),
            ("every 28 days", "1/28d"),
            ("once a month", "1/mo"),
            ("q28d", "1/28d"),
        ]
    )
    text = f"{rng.choice(['Inject', 'Administer', ''])} 380 mg {rng.choice(['IM', 'intramuscularly', 'into the muscle', ''])} {every}"
    return Sig("depot", _joined(rng, text), f"380 mg @ {told}")


def spoiled_sig(rng: Random) -> Sig:
    """Spoil a good text so that it must not be read any more."""
    good = plain_sig(rng).text.rstrip(".")
    spoilt = rng.choice(
        [
            f"{good} unless drowsy", f"{good} zzyzx", f"{good} or as discussed", f"do not {good}", f"{good} except sundays",
            f"{good}, then as directed per protocol", f"{good} and 2 units qid", "titrate as directed", f"{good} then 4 .5 mg",
            f"{good} 4. 5 mg", f"{good}, increase weekly", f"{good}, taper", f"{good} biweekly", f"{good} 1,000 mg", f"hold {good}",
            f"{good} every 5 minutes", f"{good} x 3", f"{good} and 7 tabs", f"if pain {good}",
        ],
    )  # fmt: skip
    return Sig("spoiled", spoilt, "")


_KINDS: Final[tuple[Callable[[Random], Sig], ...]] = (
    plain_sig, plain_sig, as_needed_sig, length_sig, steps_sig, climb_sig, together_sig, limit_sig, depot_sig, spoiled_sig,
)  # fmt: skip


def generated(seed: int, count: int) -> Iterator[Sig]:
    """Yield sigs of every class; the same seed yields the same sigs."""
    rng = Random(seed)  # noqa: S311 - reproducible, not secret
    for number in range(count):
        yield _KINDS[number % len(_KINDS)](rng)
