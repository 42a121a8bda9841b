"""Floor 3: the characters of a dosing text as words, numbers, clock times and marks, in one pass from left to right.

Ways of writing a number that led to tenfold errors are refused here: "4 .5 mg", "4. 5 mg", "1,000 mg", "05 mg", "-4.5 mg".
"""

# ruff: noqa: RUF001 - characters that look alike are what this module is about

import re
from dataclasses import dataclass
from decimal import Decimal
from types import MappingProxyType
from typing import Final, Literal

from cds_service.facts.sig.reasons import Refused

Kind = Literal["word", "number", "clock", "sep", "and", "dash", "slash", "open", "close", "equals", "hash", "date"]

_LETTERS: Final = frozenset("abcdefghijklmnopqrstuvwxyzµ")
_DIGITS: Final = frozenset("0123456789")
_MARKS: Final = MappingProxyType[str, Kind](
    {
        ",": "sep", ";": "sep", ".": "sep", "\n": "sep", "*": "sep", "•": "sep", "!": "sep",
        "(": "open", "[": "open", ")": "close", "]": "close", "+": "and", "&": "and", "-": "dash", "/": "slash", "=": "equals", "#": "hash",
    },
)  # fmt: skip
_SILENT: Final = frozenset(':"_')
_SAME: Final = MappingProxyType(
    {
        "μ": "µ", "–": "-", "—": "-", "‑": "-", "−": "-", "‒": "-", "×": "x", "’": "'", "‘": "'", "`": "'", "“": '"', "”": '"',
        "⁄": "/", "\r": "\n", "@": " at ",
    },
)  # fmt: skip
_VULGAR: Final = MappingProxyType({"½": "1/2", "¼": "1/4", "¾": "3/4", "⅓": "1/3", "⅔": "2/3"})
_PARTS: Final = MappingProxyType(
    {
        ("1", "2"): Decimal("0.5"), ("1", "4"): Decimal("0.25"), ("3", "4"): Decimal("0.75"), ("1", "8"): Decimal("0.125"),
        ("1", "3"): Decimal(1) / 3, ("2", "3"): Decimal(2) / 3,
    },
)  # fmt: skip
FRACTION: Final = "fraction"
"""Text of a number that was written as a fraction."""
_DATE: Final = re.compile(
    r"(?:[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}|[0-9]{1,2}/[0-9]{1,2}/(?:[0-9]{4}|[0-9]{2})|[0-9]{1,2}-[0-9]{1,2}-[0-9]{4})(?![0-9/.-][0-9]|[0-9])"
    r"(?:\s+at\s+(?:[0-9]{4}|[0-9]{1,2}:[0-9]{2}(?:\s*[ap]m)?)\b)?",
)
"""A date with its year, and its time where it has one; it is only ever skipped, so that day and month need not be told apart."""
_OF_FOUR: Final = re.compile(r"([01][0-9]|2[0-3])([0-5][0-9])(?![0-9]|[.,/:-][0-9]|\s*(?:m|u|\u00b5)?g\b|\s*mc?g|\s*ml)")
"""A clock time as wards write it behind "at": 0900, 2100."""
_MOST_DIGITS: Final = 6
_THOUSAND: Final = 3


@dataclass(frozen=True, slots=True)
class Raw:
    """One word, number or mark; `is_tight` where no space stands before it, `is_decimal` for a number with a point or comma."""

    kind: Kind
    text: str
    value: Decimal = Decimal(0)
    is_tight: bool = False
    is_decimal: bool = False


class _Scanner:
    """Walks once over the characters; every character is looked at a bounded number of times."""

    def __init__(self, text: str) -> None:
        """Put one way of writing for many: case, dashes, quotes, vulgar fractions."""
        spread = (f" {_VULGAR[char]}" if char in _VULGAR else _SAME.get(char, char) for char in text.lower())
        self.text = "".join(spread)
        self.at = 0
        self.found: list[Raw] = []

    def scan(self) -> tuple[Raw, ...]:
        """Return everything found."""
        while self.at < len(self.text):
            self._next()
        return tuple(self.found)

    def _next(self) -> None:
        """Take what stands at the present place."""
        char = self.text[self.at]
        if char in _DIGITS or (char == "." and self._is_digit(self.at + 1)):
            self._number()
        elif char in _LETTERS:
            self._word()
        elif char in _MARKS:
            self._add(_MARKS[char], char)
            self.at += 1
        elif char.isspace() or char in _SILENT:
            self.at += 1
        else:
            raise Refused("sig-ambiguous" if char == "'" and self._is_digit(self.at + 1) else "sig-unread-words")

    def _add(self, kind: Kind, text: str, value: Decimal = Decimal(0), *, is_decimal: bool = False) -> None:
        """Keep one find that begins at the present place."""
        is_tight = self.at > 0 and not self.text[self.at - 1].isspace()
        self.found.append(Raw(kind, text, value, is_tight=is_tight, is_decimal=is_decimal))

    def _is_digit(self, at: int) -> bool:
        """A digit stands there."""
        return at < len(self.text) and self.text[at] in _DIGITS

    def _is_letter(self, at: int) -> bool:
        """A letter stands there."""
        return at < len(self.text) and self.text[at] in _LETTERS

    def _char(self, at: int) -> str:
        """Return the character there, empty past the end."""
        return self.text[at : at + 1]

    def _digits(self, at: int) -> int:
        """Return the place after the digits that begin there."""
        while self._is_digit(at):
            at += 1
        return at

    def _word(self) -> None:
        """Take letters; dotted letters ("q.h.s.") are one word, an apostrophe may stand inside, "(s)" after it is dropped."""
        end, letters = self._dotted() if self._is_dotted(self.at) else self._letters()
        self._add("word", letters)
        self.at = end + len("(s)") if self.text.startswith("(s)", end) else end

    def _is_dotted(self, at: int) -> bool:
        """A single letter, a dot, and again a single letter."""
        return self._char(at + 1) == "." and self._is_letter(at + 2) and not self._is_letter(at + 3)

    def _dotted(self) -> tuple[int, str]:
        """Take letters with a dot after each."""
        letters, at = [self.text[self.at]], self.at + 1
        while self._char(at) == "." and self._is_letter(at + 1) and not self._is_letter(at + 2):
            letters.append(self.text[at + 1])
            at += 2
        return at + (self._char(at) == "."), "".join(letters)

    def _letters(self) -> tuple[int, str]:
        """Take letters with apostrophes between them."""
        at = self.at
        while self._is_letter(at) or (self._char(at) == "'" and self._is_letter(at + 1)):
            at += 1
        return at, self.text[self.at : at]

    def _number(self) -> None:
        """Take a number, a fraction or a clock time."""
        if date := _DATE.match(self.text, self.at):
            self._add("date", date.group())
            self.at = date.end()
            return
        self._refuse_after_number()
        end = self._digits(self.at)
        if self.found and self.found[-1].text == "at" and (clock := _OF_FOUR.match(self.text, self.at)):
            self._add("clock", f"{clock[1]}:{clock[2]}")
            self.at = clock.end()
        elif self._char(end) == ":" and self._is_minutes(end + 1):
            self._add("clock", self.text[self.at : end + 3])
            self.at = end + 3
        elif self._char(end) == "/" and self._is_digit(end + 1):
            self._fraction(end)
        else:
            self._decimal(end)

    def _refuse_after_number(self) -> None:
        """Refuse a number that stands behind another with nothing but a point, or begins with a point after it or after a letter, or has a sign."""
        last = self.found[-1] if self.found else None
        if last is None:
            return
        before = self.found[-2].kind if len(self.found) > 1 else ""
        starts_with_point = self.text[self.at] == "." and (last.kind == "number" or self._is_letter(self.at - 1))
        after_point = last.text == "." and before == "number"
        has_sign = last.kind == "dash" and not last.is_tight and before != "number" and not self.text[self.at - 1].isspace()
        if starts_with_point or after_point or has_sign:
            raise Refused("sig-ambiguous")

    def _is_minutes(self, at: int) -> bool:
        """Two digits and no third, no decimal."""
        return self._digits(at) == at + len("00") and self._char(at + 2) != ":"

    def _fraction(self, slash: int) -> None:
        """Take one of the usual fractions; anything else with a slash is a date or the strengths of a combination."""
        end = self._digits(slash + 1)
        value = _PARTS.get((self.text[self.at : slash], self.text[slash + 1 : end]))
        if value is None or self._char(end) == "/":
            raise Refused("sig-ambiguous")
        self._add("number", FRACTION, value)
        self.at = end

    def _decimal(self, end: int) -> None:
        """Take digits with a decimal point or comma."""
        whole, mark, part = self.text[self.at : end], self._char(end), ""
        if mark in (".", ",") and self._is_digit(end + 1):
            part = self.text[end + 1 : self._digits(end + 1)]
            end += 1 + len(part)
        has_more = self._char(end) in (",", ":", "/") and self._is_digit(end + 1)
        if has_more or not _is_clear(whole, mark, part):
            raise Refused("sig-ambiguous")
        kept = part.rstrip("0")
        self._add("number", "", Decimal(f"{whole or '0'}.{kept}"), is_decimal=bool(part))
        self.at = end


def _is_clear(whole: str, mark: str, part: str) -> bool:
    """Tell whether a number can be read in one way alone: no leading zero, no thousands."""
    if len(whole) > _MOST_DIGITS or len(part) > _MOST_DIGITS or (len(whole) > 1 and whole[0] == "0"):
        return False
    could_be_thousands = len(part) == _THOUSAND and whole not in ("", "0")
    return not could_be_thousands or (mark == "." and part[-1] != "0")


def scan(text: str) -> tuple[Raw, ...]:
    """Cut a dosing text into words, numbers and marks; raises Refused for what has no safe reading."""
    return _Scanner(text).scan()
