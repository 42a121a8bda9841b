"""Floor 3: from a dosing text to the elements of a structured order: what `facts` reads as if an EHR had sent it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from itertools import pairwise
from typing import Final

from cds_service.facts.sig.asides import tidied
from cds_service.facts.sig.clauses import Sig, sort
from cds_service.facts.sig.context import settle
from cds_service.facts.sig.grammar import parse
from cds_service.facts.sig.parts import parts
from cds_service.facts.sig.reasons import Refused
from cds_service.facts.sig.scan import scan
from cds_service.facts.sig.steps import Allowed, Plan, Step, Taking, bounds_of, work_out
from cds_service.facts.sig.supply import dissolved, starting_first, with_notes_beside, without_supply
from cds_service.facts.sig.words import words
from cds_service.fhir.elements import Concept, Dosage, Ratio, Timing
from cds_service.fhir.elements import Dose as DoseElement
from cds_service.quantities import QuantityRange
from cds_service.unknown import Unknown

LONGEST_TEXT: Final = 1000
"""Characters; a longer text is no dosing instruction of one order."""


_MOST_PHRASES: Final = 250
"""No instruction holds more; it bounds what comparing the steps of a hostile text can cost."""


@dataclass(frozen=True, slots=True)
class SigReading:
    """What a dosing text surely says.

    `dosages` are numbered by sequence where they are consecutive steps; without number they hold together. An element that
    the text does not say is absent (no doses, no timing). `allowed` are the doses at one time that the text allows but does not
    order, in their order; the dosages hold what it orders. `is_if_tolerated`: the steps are to be taken only as tolerated.
    """

    dosages: tuple[Dosage, ...]
    allowed: tuple[Allowed, ...] = ()
    is_if_tolerated: bool = False

    @property
    def may_increase(self) -> QuantityRange | None:
        """The highest dose at one time that the text allows but does not order."""
        return self.allowed[-1].amount if self.allowed else None

    @property
    def furthest(self) -> tuple[Dosage, ...]:
        """The dosages with what is allowed as steps behind them: the most that the patient may come to take."""
        last = self.dosages[-1]
        if not self.allowed or last.is_as_needed:
            return self.dosages
        return (*self.dosages[:-1], *_allowed_steps(last, self.allowed))


def _allowed_steps(last: Dosage, allowed: Sequence[Allowed]) -> Iterator[Dosage]:
    """Yield the last dosage of a text and one for each allowed dose; each lasts until the next is allowed."""
    timing = replace(last.timing, bounds=None, count=None) if last.timing else None
    for number, (step, following) in enumerate(pairwise((None, *allowed, None)), start=last.sequence or 1):
        doses = (DoseElement("", step.amount),) if step else last.doses
        length = following.after if following else None
        limited = replace(timing or Timing(), bounds=bounds_of(length)) if length else timing
        yield replace(last, sequence=number, doses=doses, timing=limited)


def read_sig(text: str, names: frozenset[str] = frozenset(), piece_mg: Decimal | None = None) -> SigReading | Unknown:
    """Read an English dosing text with pharmacy shorthand, or say why it is not read (`sig.REASONS`); never raises.

    `names` are lower-case words to skip: names of the ordered drug. `piece_mg` is the mass in one counted unit of the
    ordered product, where known: it settles "2 capsules (9 mg)", which is refused without it. Time is linear in the text.
    """
    if len(text) > LONGEST_TEXT:
        return Unknown("sig-too-long")
    try:
        return _reading(text, names, piece_mg)
    except Refused as refused:
        return Unknown(refused.reason)


def _reading(text: str, names: frozenset[str], piece_mg: Decimal | None) -> SigReading:
    """Read a text, or raise Refused."""
    raws = scan(text)
    if not any(raw.kind in ("word", "number", "clock") for raw in raws):
        raise Refused("sig-empty")
    found = dissolved(without_supply(words(tidied(raws, names), names)), piece_mg)
    items = settle(with_notes_beside(starting_first(found)))
    if not items:
        raise Refused("sig-no-dose")
    if len(items) > _MOST_PHRASES:
        raise Refused("sig-too-long")
    sig = sort(parts(parse(items)))
    plan = work_out(sig, piece_mg)
    _refuse_nothing(plan, sig)
    route = _route(sig)
    dosages = tuple(_dosages(plan, route))
    return SigReading(dosages, tuple(plan.allowed), sig.is_if_tolerated)


def _refuse_nothing(plan: Plan, sig: Sig) -> None:
    """Refuse a text that says neither how much nor how often, leaves one of them to directions, or tells how much for some steps alone."""
    takings = [taking for step in plan.steps for taking in step.takings]
    if sig.is_directed and not all(taking.doses and taking.timing for taking in takings or [Taking()]):
        raise Refused("sig-as-directed")
    if not any(taking.doses or taking.timing or taking.is_as_needed for taking in takings):
        raise Refused("sig-no-dose")
    if len({bool(taking.doses) for taking in takings}) > 1 or (sig.is_dated and len(takings) > 1):
        raise Refused("sig-ambiguous")


def _route(sig: Sig) -> Concept:
    """Return the one route of the text."""
    if len(sig.routes) > 1:
        raise Refused("sig-contradictory")
    return Concept(text=next(iter(sig.routes), ""))


def _dosages(plan: Plan, route: Concept) -> Iterator[Dosage]:
    """Yield one Dosage for each dose of each step."""
    if len(plan.steps) > 1 and any(taking.is_as_needed for step in plan.steps for taking in step.takings):
        raise Refused("sig-ambiguous")
    limit = Ratio(*plan.limits[0]) if plan.limits else None
    for number, step in enumerate(plan.steps, start=1):
        for taking in step.takings:
            yield Dosage(
                sequence=number if len(plan.steps) > 1 else None,
                timing=_timing(taking.timing, step),
                is_as_needed=taking.is_as_needed,
                route=route,
                doses=taking.doses,
                max_dose_per_period=limit,
            )


def _timing(timing: Timing | None, step: Step) -> Timing | None:
    """Add to a timing how long its step lasts."""
    length = step.length
    if length is None:
        return timing
    if length.unit == "dose":
        if timing is not None and timing.count is not None and timing.count != length.low:
            raise Refused("sig-contradictory")
        return replace(timing or Timing(), count=int(length.low))
    if timing is not None and timing.count is not None:
        raise Refused("sig-ambiguous")
    return replace(timing or Timing(), bounds=bounds_of(length))
