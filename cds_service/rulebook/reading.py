"""Floor 4: reads located YAML into plain values for the loaders, and notes every problem instead of stopping at one."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Final

from cds_service.errors import Location, Problem, RulebookInvalid, nearest
from cds_service.located import Block, Located, Scalar, Sequence, read_yaml
from cds_service.quantities import Quantity, parse_quantity

NO_DAY: Final = date.min
"""What `day` returns where it noted a problem; nothing is made of a file with problems."""
_DATE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)
_NUMBER: Final = re.compile(r"-?(0|[1-9][0-9]{0,11})(\.[0-9]{1,12})?", re.ASCII)
_WHOLE: Final = re.compile(r"[1-9][0-9]{0,5}", re.ASCII)
_ID: Final = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", re.ASCII)


@dataclass(frozen=True, slots=True)
class Reader:
    """Collects problems; each reading function notes what is wrong and returns an empty value of the type asked for."""

    problems: list[Problem] = field(default_factory=list)

    def refuse(self, where: Location, code: str, message: str) -> None:
        """Note a problem."""
        self.problems.append(Problem(where, code, message))

    def file(self, text: str, name: str) -> Block | None:
        """Read a whole file as a mapping; `None` where it is not one."""
        try:
            tree = read_yaml(text, name)
        except RulebookInvalid as error:
            self.problems.extend(error.problems)
            return None
        return self.block(tree, "the file")

    def block(self, node: Located | None, what: str) -> Block | None:
        """Return the node if it is a mapping; an absent node is no problem here."""
        if isinstance(node, Block):
            return node
        self._misshapen(node, what, "a mapping")
        return None

    def sequence(self, node: Located | None, what: str) -> tuple[Located, ...]:
        """Return the items of a list; an absent node has none."""
        if isinstance(node, Sequence):
            return node.items
        self._misshapen(node, what, "a list")
        return ()

    def several(self, node: Located) -> tuple[Located, ...]:
        """Return the items of a list, or the one value that stands in the place of a list."""
        return node.items if isinstance(node, Sequence) else (node,)

    def keys(self, block: Block, what: str, required: Iterable[str], optional: Iterable[str] = ()) -> None:
        """Note unknown and missing keys."""
        needed = tuple(required)
        allowed = (*needed, *optional)
        for entry in block:
            if entry.key not in allowed:
                hint = nearest(entry.key, allowed) or f"; allowed: {', '.join(sorted(allowed))}"
                self.refuse(entry.where, "RULE-002", f"{what} has no key '{entry.key}'{hint}")
        for key in needed:
            if key not in block.entries:
                self.refuse(block.where, "RULE-003", f"{what} needs '{key}'")

    def scalar(self, node: Located | None, what: str) -> Scalar | None:
        """Return the node if it is a single value."""
        if isinstance(node, Scalar) and node.type != "nothing":
            return node
        self._misshapen(node, what, "a single value")
        return None

    def text(self, block: Block, key: str) -> str:
        """Return a text; an absent one is empty, an empty one is a problem."""
        node = self.scalar(block.get(key), f"'{key}'")
        if node is not None and not node.text.strip():
            self.refuse(node.where, "RULE-019", f"'{key}' is empty")
        return node.text.strip() if node else ""

    def word(self, node: Located | None, what: str, allowed: Iterable[str], code: str = "RULE-006") -> str:
        """Return one of the allowed words, or an empty text."""
        scalar = self.scalar(node, what)
        words = tuple(allowed)
        if scalar is None or (scalar.text in words and scalar.is_text):
            return scalar.text if scalar else ""
        shown = f"; allowed: {', '.join(sorted(words))}" if words else "; none is defined"
        self.refuse(scalar.where, code, f"no {what} '{scalar.text}'{nearest(scalar.text, words) or shown}")
        return ""

    def words(self, node: Located, what: str, allowed: Iterable[str], code: str = "RULE-018") -> frozenset[str]:
        """Return allowed words from a list or a single value."""
        known = tuple(allowed)
        return frozenset(self.word(item, what, known, code) for item in self.several(node)) - {""}

    def id(self, block: Block, key: str, expected: str) -> str:
        """Return a kebab-case id that repeats the name of its file."""
        found, entry = self.text(block, key), block.entries.get(key)
        if entry and found and not _ID.fullmatch(found):
            self.refuse(entry.value.where, "RULE-004", f"'{found}' is not kebab-case: small letters, digits and single hyphens")
        elif entry and found and found != expected:
            self.refuse(entry.value.where, "RULE-004", f"'{found}' differs from the name of the file, '{expected}'")
        return found

    def day(self, node: Located | None, what: str) -> date:
        """Return a date written as 2026-11-22."""
        scalar = self.scalar(node, what)
        if scalar is None:
            return NO_DAY
        try:
            return date.fromisoformat(scalar.text) if _DATE.fullmatch(scalar.text) else self._no_day(scalar, what)
        except ValueError:
            return self._no_day(scalar, what)

    def number(self, node: Located | None, what: str) -> Decimal:
        """Return a number, quoted or plain, as it is written."""
        scalar = self.scalar(node, what)
        if scalar is not None and _NUMBER.fullmatch(scalar.text):
            return Decimal(scalar.text)
        if scalar is not None:
            self.refuse(scalar.where, "RULE-008", f"{what} is no number: '{scalar.text}'")
        return Decimal(0)

    def whole(self, node: Located | None, what: str, default: int) -> int:
        """Return a whole number from 1 on."""
        scalar = self.scalar(node, what)
        if scalar is None:
            return default
        if _WHOLE.fullmatch(scalar.text):
            return int(scalar.text)
        self.refuse(scalar.where, "RULE-008", f"{what} is a whole number from 1 on; found '{scalar.text}'")
        return default

    def truth(self, node: Located | None, what: str) -> bool:
        """Return true or false."""
        if isinstance(node, Scalar) and node.type == "truth":
            return node.text.lower() == "true"
        if node is not None:
            self.refuse(node.where, "RULE-022", f"{what} is true or false{_found(node)}")
        return False

    def quantity(self, node: Located, what: str) -> Quantity | None:
        """Return a quantity with its unit."""
        scalar = self.scalar(node, what)
        quantity = parse_quantity(scalar.text) if scalar else None
        if scalar is not None and quantity is None:
            self.refuse(scalar.where, "RULE-023", f"'{scalar.text}' is no quantity; write a number, a space and a unit: 4.5 mg/d, 7 d")
        return quantity

    def https(self, block: Block, key: str) -> str:
        """Return an address; only https is taken."""
        url, entry = self.text(block, key), block.entries.get(key)
        if entry and url and not url.startswith("https://"):
            self.refuse(entry.value.where, "RULE-011", f"'{key}' begins with https://")
        return url

    def _no_day(self, scalar: Scalar, what: str) -> date:
        self.refuse(scalar.where, "RULE-007", f"{what} is no date: '{scalar.text}'; write 2026-11-22")
        return NO_DAY

    def _misshapen(self, node: Located | None, what: str, expected: str) -> None:
        if node is not None:
            self.refuse(node.where, "RULE-001", f"{what} is {expected}{_found(node)}")


def _found(node: Located) -> str:
    if isinstance(node, Scalar):
        return f"; found '{node.text}'" if node.type != "nothing" else "; found nothing"
    return "; found a mapping" if isinstance(node, Block) else "; found a list"
