"""Floor 3: the place in a dosing text that is in hand, with its neighbours and what was written for the grammar so far."""

from collections.abc import Sequence
from typing import Literal

from cds_service.facts.sig.words import END, Item, at


class Context:
    """Where a walk over the items stands, and what it has written for the grammar."""

    def __init__(self, items: Sequence[Item]) -> None:
        """Begin at the first item."""
        self.items = items
        self.index = 0
        self.out: list[Item] = []
        self.mode: Literal["change", "by"] | None = None
        """"change" after a word of change, "by" after its amount of change; a "to" then leads to where the change ends."""
        self.note_ends = -1

    def peek(self, ahead: int = 1) -> Item:
        """Look at a neighbour of the item in hand."""
        return at(self.items, self.index + ahead)

    @property
    def last(self) -> Item:
        """What was written last."""
        return self.out[-1] if self.out else END

    def write(self, kind: str, value: str = "") -> None:
        """Write one item for the grammar."""
        self.out.append(Item(kind, value))
