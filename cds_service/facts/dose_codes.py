"""Floor 3: Timing.code as EHRs send it (HL7 GTS abbreviations, order-entry words) read into the same shape as Timing.repeat."""

import re
from collections.abc import Mapping
from decimal import Decimal
from types import MappingProxyType
from typing import Final

from cds_service.facts.sig import read_sig
from cds_service.fhir.elements import Timing
from cds_service.unknown import Unknown

AFTERNOON_OR_EVENING: Final = "PM"
"""The moment that the GTS abbreviation PM names: "every afternoon" by its definition, the evening to most who write it."""

_LONGEST: Final = 60
_NUMBERS: Final = MappingProxyType(
    {"ONCE": 1, "ONE": 1, "TWICE": 2, "TWO": 2, "THREE": 3, "FOUR": 4, "FIVE": 5, "SIX": 6, "EIGHT": 8, "TWELVE": 12},
)
_UNITS: Final = MappingProxyType({"H": "h", "D": "d", "W": "wk", "M": "mo"})
_NUMBER: Final = rf"(?:[1-9][0-9]?|{'|'.join(_NUMBERS)})"
_EVERY: Final = re.compile(
    rf"(?:Q|EVERY) ?({_NUMBER})(?: ?(?:-|TO) ?({_NUMBER}))? ?(H|HR|HRS|HOUR|HOURS|D|DAY|DAYS|W|WK|WKS|WEEK|WEEKS|MO|MONTH|MONTHS)",
)
_TIMES: Final = re.compile(
    rf"(?:(ONCE|TWICE)|({_NUMBER})(?: ?X| TIMES?))(?: (?:A|PER|EACH|EVERY) | ?/ ?| )(DAY|DAILY|WEEK|WEEKLY|MONTH|MONTHLY)",
)
"""A number needs its "times": "2 weekly" is every two weeks to some, and "1 week" is how long."""
_AS_NEEDED: Final = re.compile(r" ?(?:PRN|AS NEEDED)")


def _every(frequency: int, period: int, unit: str, when: str = "", days: str = "") -> Timing:
    """So many times in so many units, at a moment or on some days where the code names them."""
    return Timing(frequency=frequency, period=Decimal(period), period_unit=unit, when=tuple(when.split()), day_of_week=tuple(days.split()))


_MEANINGS: Final = (
    (_every(1, 1, "d"), "QD|QDAY|DAILY|EVERY DAY|EACH DAY"),
    (_every(2, 1, "d"), "BID|2X DAILY"),
    (_every(3, 1, "d"), "TID"),
    (_every(4, 1, "d"), "QID"),
    (_every(1, 1, "d", "MORN"), "AM|QAM|EVERY MORNING|EACH MORNING|IN THE MORNING|DAILY IN THE MORNING"),
    (_every(1, 1, "d", "AFT"), "EVERY AFTERNOON|IN THE AFTERNOON"),
    (_every(1, 1, "d", AFTERNOON_OR_EVENING), "PM"),
    (_every(1, 1, "d", "EVE"), "QPM|EVERY EVENING|EACH EVENING|IN THE EVENING|DAILY IN THE EVENING"),
    (
        _every(1, 1, "d", "HS"),
        "BED|HS|QHS|BEDTIME|AT BEDTIME|DAILY AT BEDTIME|EVERY BEDTIME|NIGHTLY|NIGHTLY AT BEDTIME|QNIGHT|EVERY NIGHT|EVERY NIGHT AT BEDTIME|AT NIGHT",
    ),
    (_every(1, 2, "d"), "QOD|EVERY OTHER DAY|EVERY SECOND DAY"),
    (_every(1, 2, "d", "HS"), "EVERY OTHER NIGHT"),
    (_every(1, 3, "d"), "EVERY THIRD DAY"),
    (_every(1, 1, "wk"), "WK|WEEKLY|QWK|QWEEK|EVERY WEEK"),
    (_every(1, 2, "wk"), "EVERY OTHER WEEK"),
    (_every(3, 1, "wk"), "TIW|3XW|3X WEEK"),
    (_every(1, 1, "d", days="mon wed fri"), "MWF"),
    (_every(1, 1, "mo"), "MO|MONTHLY|QMO|QMONTH|EVERY MONTH"),
    (_every(1, 1, "h"), "QH|HOURLY|EVERY HOUR"),
    (Timing(count=1), "ONCE|STAT|NOW|X1|ONE TIME|1 TIME|ONCE NOW|SINGLE DOSE"),
)


def _meanings() -> Mapping[str, Timing]:
    """Spread the table: one entry for each way of writing a meaning."""
    return MappingProxyType({word: timing for timing, words in _MEANINGS for word in words.split("|")})


_CODES: Final = _meanings()


def timing_of_code(code: str) -> Timing | Unknown:
    """Read a timing code or its text; an empty Timing where it says nothing of how often, Unknown where it is not understood."""
    if len(code) > _LONGEST:
        return Unknown("unreadable-timing")
    words = " ".join(code.upper().replace(".", "").split())
    plain = words[: found.start()] if (found := _AS_NEEDED.search(words)) and found.end() == len(words) else words
    if not plain:
        return Timing()
    return _CODES.get(plain) or _interval(plain) or _times(plain) or _in_words(code)


def _interval(words: str) -> Timing | None:
    """Read "Q8H", "Q4-6H", "EVERY 3 DAYS"."""
    if not (match := _EVERY.fullmatch(words)):
        return None
    shortest, longest, unit = match.groups()
    return Timing(
        frequency=1,
        period=Decimal(_number(shortest)),
        period_max=Decimal(_number(longest)) if longest else None,
        period_unit=_UNITS[unit[0]],
    )


def _times(words: str) -> Timing | None:
    """Read "2 TIMES DAILY", "THREE TIMES A WEEK", "ONCE DAILY"."""
    if not (match := _TIMES.fullmatch(words)):
        return None
    return _every(_number(match[1] or match[2]), 1, _UNITS[match[3][0]])


def _in_words(text: str) -> Timing | Unknown:
    """Read what a dosing text would say of timing alone: "Once a day (at bedtime)"; neither a dose nor how long may stand in it."""
    reading = read_sig(text)
    lines = () if isinstance(reading, Unknown) else reading.dosages
    timing = lines[0].timing if len(lines) == 1 and not (lines[0].doses or lines[0].is_as_needed) else None
    says_more = timing is None or timing.bounds or timing.time_of_day or timing.count is not None
    return Unknown("unreadable-timing") if timing is None or says_more else timing


def _number(word: str) -> int:
    """Read a number in digits or as a word."""
    return _NUMBERS[word] if word in _NUMBERS else int(word)
