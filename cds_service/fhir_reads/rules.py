"""What the rules of a pack need of a call's data, and whether an answer stands on any."""

from collections.abc import Callable
from http import HTTPStatus
from typing import Final

from cds_service.errors import RequestRefused
from cds_service.fhir.chart import Chart, Completeness, Kind
from cds_service.fhir.terminology import DrugMatch
from cds_service.fhir_reads.gaps import Needs
from cds_service.fhir_reads.searches import Prefetch, Window
from cds_service.hooks.call import HookName
from cds_service.rulebook.types import Severity
from cds_service.service import Decision, Pack

_INCOMPLETE: Final = "incomplete"
_NOT_HAD: Final = frozenset([Completeness.MISSING, Completeness.FAILED])


def needs_of(pack: Pack, hook: HookName, window: Window, read_chart: Callable[[Prefetch | None], Chart]) -> Needs:
    """Say what the rules of a pack need to judge a call of this hook; `read_chart` reads a chart from a prefetch."""

    def concerns(chart: Chart) -> bool:
        return any(_concerns(pack, hook, chart, index) for index in chart.selected)

    return Needs(read_chart, concerns, lambda: kinds_read(pack), window, pack.drugs)


def kinds_read(pack: Pack) -> frozenset[Kind]:
    """Return the kinds of data that rules in force read."""
    return frozenset(Kind(kind) for kind in pack.rulebook.kinds_used())


def _concerns(pack: Pack, hook: HookName, chart: Chart, index: int) -> bool:
    """Tell whether a rule that advises, rather than reports gaps, is about this draft; an unknown drug may be anything."""
    drug = chart.orders[index].drug
    classes = drug.classes if isinstance(drug, DrugMatch) else drug
    return any(rule.kind != _INCOMPLETE for rule in pack.rulebook.rules_for(hook, classes))


def check_had_data(decision: Decision, kinds: frozenset[Kind]) -> None:
    """Refuse with 412 where a kind of data could not be had at all (CDS Hooks 2.0.1, #prefetch-template; for sites that want this).

    Never where a warning was found all the same: that is told, with the card that says what was not checked.
    """
    is_lacking = any(decision.completeness.get(kind) in _NOT_HAD for kind in kinds)
    is_warned = any(finding.rule.kind != _INCOMPLETE and finding.severity is not Severity.INFO for finding in decision.shown)
    is_concerned = any(finding.rule.kind == _INCOMPLETE for finding in decision.shown)
    if is_lacking and is_concerned and not is_warned:
        raise RequestRefused(
            "REQ-012",
            "no data in prefetch for what the order has to be checked against, and no FHIR server that could be read",
            "every prefetch key of GET /cds-services, or a fhirServer and fhirAuthorization that this service may use",
            status=HTTPStatus.PRECONDITION_FAILED,
            issue="required",
        )
