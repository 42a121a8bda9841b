"""Floor 1: the port through which any floor counts how things ended, without knowing who keeps the figures."""

from typing import Protocol


class Tally(Protocol):
    """Counts by an outcome out of a fixed list of the program's own words: never a word of a caller, never patient data."""

    def count(self, outcome: str, number: int = 1, /) -> None:
        """Add so many; must not wait and must not fail."""


class NoTally:
    """Counts nothing, where nobody asks for figures."""

    def count(self, outcome: str, number: int = 1, /) -> None:
        """Pass over it."""
