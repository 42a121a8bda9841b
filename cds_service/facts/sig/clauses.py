"""Floor 3: the phrases of a dosing text put into clauses: one for each step, with a group for each dose taken in it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from cds_service.facts.sig.parts import After, By, Clock, Days, Dose, Frequency, Goal, Label, Length, Limit, Moment, Part, UpTo, Word
from cds_service.facts.sig.reasons import Refused
from cds_service.quantities import QuantityRange

When = Frequency | Moment | Clock | Days | Word
"""What says when: phrases of timing, MEALS and ONCE, and the pauses between them (SEP, AND)."""

_CHANGES: Final = ("INCREASE", "DECREASE", "MAY")
_PAUSES: Final = ("SEP", "AND")
_A_DAY: Final = Frequency(1, 1, unit="d")


@dataclass(slots=True)
class Group:
    """What stands between two pauses: one dose at most, and when."""

    pause: str = ""
    doses: list[Dose] = field(default_factory=list)
    when: list[When] = field(default_factory=list)
    has_taking: bool = False
    is_as_needed: bool = False

    @property
    def is_empty(self) -> bool:
        """Nothing that matters was said."""
        return not (self.doses or self.when or self.is_as_needed)


@dataclass(slots=True)
class Clause:
    """One step as the text states it; `opener` is THEN, INCREASE, DECREASE, MAY, SEP (a pause alone) or empty for the first."""

    opener: str = ""
    groups: list[Group] = field(default_factory=lambda: [Group()])
    lengths: list[QuantityRange] = field(default_factory=list)
    length_group: int = 0
    after: After | None = None
    label: Label | None = None
    by: Dose | None = None
    goal: Dose | None = None
    after_goal: list[When] = field(default_factory=list)
    is_ongoing: bool = False

    @property
    def group(self) -> Group:
        """The group in hand."""
        return self.groups[-1]

    @property
    def doses(self) -> list[Dose]:
        """Every dose stated."""
        return [dose for group in self.groups for dose in group.doses]

    @property
    def is_empty(self) -> bool:
        """Nothing that matters was said yet."""
        changes = self.by or self.goal or self.after or self.label or self.lengths
        return not changes and all(group.is_empty for group in self.groups)


@dataclass(slots=True)
class Sig:
    """The whole text: its steps, and what holds for all of them."""

    clauses: list[Clause] = field(default_factory=lambda: [Clause()])
    routes: set[str] = field(default_factory=set)
    limits: list[tuple[Dose, Frequency]] = field(default_factory=list)
    header: Dose | None = None
    is_if_tolerated: bool = False
    is_directed: bool = False
    is_dated: bool = False

    @property
    def clause(self) -> Clause:
        """The step in hand."""
        return self.clauses[-1]


class _Sorter:
    """Walks once over the phrases and puts each where it belongs."""

    def __init__(self, parts: Sequence[Part]) -> None:
        """Begin with an empty first step."""
        self.parts = parts
        self.index = 0
        self.sig = Sig()
        self.labels_come_last = False

    def sort(self) -> Sig:
        """Return the text in steps."""
        self._take_header()
        while self.index < len(self.parts):
            self._put(self.parts[self.index])
            self.index += 1
        return self.sig

    def _take_header(self) -> None:
        """Take a product that heads the text ("1.5 mg caps: take 3 …") away from the doses."""
        first, *rest = self.parts
        following = next((part for part in rest if not (isinstance(part, Word) and part.kind in ("SEP", "ROUTE", "TAKE"))), None)
        if isinstance(first, Dose) and first.stated[0].amount is None and isinstance(following, Dose):
            self.sig.header = first
            self.index = 1

    def _put(self, part: Part) -> None:
        """Put one phrase where it belongs."""
        if isinstance(part, Word):
            self._word(part)
        elif isinstance(part, Dose):
            self._dose(part)
        elif isinstance(part, Frequency | Moment | Clock | Days):
            self._when(part)
        elif isinstance(part, Length):
            self._length(part)
        elif isinstance(part, After):
            self._after(part)
        elif isinstance(part, Label):
            self._label(part)
        else:
            self._change(part)

    def _open(self, opener: str) -> Clause:
        """Begin a step; one that was begun before and says nothing is left out later."""
        self.sig.clauses.append(Clause(opener))
        return self.sig.clause

    def _word(self, word: Word) -> None:
        """Put a phrase of one word."""
        kind, clause = word.kind, self.sig.clause
        if kind in _PAUSES:
            clause.groups.append(Group(kind))
        elif kind == "ROUTE":
            self.sig.routes.add(word.value)
        elif kind == "TAKE":
            clause.group.has_taking = True
        elif kind == "PRN":
            clause.group.is_as_needed = True
        elif kind in ("MEALS", "ONCE"):
            self._when(word)
        elif kind == "THEN":
            self._then()
        elif kind in _CHANGES:
            self._begin_change(kind)
        else:
            self._flag(kind)

    def _flag(self, kind: str) -> None:
        """Note what holds for the text, or for how long its step goes on."""
        if kind == "TOLERATED":
            self.sig.is_if_tolerated = True
        elif kind == "DIRECTED":
            self.sig.is_directed = True
        elif kind == "DATED":
            self.sig.is_dated = True
        elif kind == "ONGOING":
            self.sig.clause.is_ongoing = True

    def _then(self) -> None:
        """Begin the next step; at the end ("thereafter") it says that the last one goes on; at the start, that something is missing."""
        is_last = all(isinstance(part, Word) and part.kind == "SEP" for part in self.parts[self.index + 1 :])
        if is_last:
            self.sig.clause.is_ongoing = True
        elif self.sig.clause.is_empty and len(self.sig.clauses) == 1:
            raise Refused("sig-ambiguous")
        else:
            self._open("THEN")

    def _begin_change(self, kind: str) -> None:
        """Begin a step that raises or lowers the dose; what says after how long may stand before it."""
        clause = self.sig.clause
        is_only_after = clause.after is not None and not clause.doses and clause.opener in ("THEN", "SEP")
        if is_only_after:
            clause.opener = kind
        else:
            self._open(kind)

    def _dose(self, dose: Dose) -> None:
        """Put a dose into its group; one that follows a step with a length begins the next step."""
        clause, group = self.sig.clause, self.sig.clause.group
        earlier = [other for other in clause.groups[:-1] if other.doses]
        if self.labels_come_last and clause.label and clause.doses:
            clause = self._open("SEP")
        elif earlier and clause.lengths and group.pause == "SEP" and not group.doses and clause.label is None:
            clause = self._next_step(group)
        elif group.doses and not self._is_beside():
            raise Refused("sig-ambiguous")
        clause.group.doses.append(dose)

    def _next_step(self, group: Group) -> Clause:
        """Move what the present group holds into a step of its own."""
        self.sig.clause.groups.pop()
        clause = self._open("SEP")
        clause.groups = [group]
        return clause

    def _is_beside(self) -> bool:
        """Tell whether the dose in hand stands directly behind another: two ways of saying one."""
        index = self.index - 1
        while isinstance(part := self.parts[index], Word) and part.kind in ("ROUTE", "TAKE"):
            index -= 1
        return isinstance(part, Dose)

    def _when(self, when: When) -> None:
        """Put a phrase of timing; behind the goal of a change it is kept apart from how fast the change goes."""
        clause = self.sig.clause
        (clause.after_goal if clause.goal or (clause.doses and clause.by) else clause.group.when).append(when)

    def _length(self, length: Length) -> None:
        """Put how long a step lasts."""
        clause = self.sig.clause
        if length.length not in clause.lengths:
            clause.lengths.append(length.length)
        clause.length_group = len(clause.groups) - 1

    def _after(self, after: After) -> None:
        """Put after how long a step begins."""
        clause = self.sig.clause
        is_behind = clause.opener in (*_CHANGES, "THEN") and not (clause.group.pause and clause.group.is_empty)
        if (clause.doses or clause.goal) and not is_behind:
            clause = self._open("SEP")
        if clause.after:
            raise Refused("sig-ambiguous")
        clause.after = after

    def _label(self, label: Label) -> None:
        """Put which week a step is for: before its dose, or behind it."""
        clause = self.sig.clause
        is_first = all(other.label is None for other in self.sig.clauses)
        if is_first:
            self.labels_come_last = bool(clause.doses)
        if not (clause.label is None and (self.labels_come_last or not clause.doses)):
            clause = self._open("SEP")
        clause.label = label

    def _change(self, part: Limit | By | Goal | UpTo) -> None:
        """Put by how much, to how much, and not more than how much."""
        clause = self.sig.clause
        is_change = clause.opener in _CHANGES
        if isinstance(part, By):
            if clause.by or not is_change:
                raise Refused("sig-ambiguous")
            clause.by = part.dose
        elif is_change and clause.goal is None and not self._is_limit_a_day(part):
            clause.goal = part.dose
        else:
            self._limit(part)

    def _is_limit_a_day(self, part: Limit | Goal | UpTo) -> bool:
        """Tell a limit of the day behind a change from the goal of the change."""
        clause = self.sig.clause
        return isinstance(part, Limit) and bool(clause.goal or (clause.doses and not clause.by))

    def _limit(self, part: Limit | Goal | UpTo) -> None:
        """Take a limit with the period that follows it."""
        following = self.parts[self.index + 1] if self.index + 1 < len(self.parts) else None
        if isinstance(part, Limit) and part.is_daily:
            self.sig.limits.append((part.dose, _A_DAY))
            return
        is_clear = isinstance(part, Limit) or (
            isinstance(part, UpTo) and bool(self.sig.clauses[0].doses) and not self.sig.clause.group.doses
        )
        if not (is_clear and isinstance(following, Frequency) and following.unit and following.low == following.high == 1):
            raise Refused("sig-ambiguous")
        self.sig.limits.append((part.dose, following))
        self.index += 1


def sort(parts: Sequence[Part]) -> Sig:
    """Put phrases into steps; raises Refused where it is not clear what belongs together."""
    return _Sorter(parts).sort()
