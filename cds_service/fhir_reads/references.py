"""Medication resources that drafts and lists refer to and that the call did not bring: which ones, and where they lie."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from cds_service.fhir.chart import MedicationRecord
from cds_service.fhir.elements import RawResource
from cds_service.fhir.prefetch import bundle_entries
from cds_service.fhir.resources import MEDICATION_TYPES, ordered_medication, referable
from cds_service.fhir.terminology import DrugIndex
from cds_service.fhir.values import listed, local_reference, members, reference, text_of
from cds_service.fhir_reads.bounds import Fault, ReadFailed
from cds_service.fhir_reads.pool import FhirPool, Reading
from cds_service.fhir_reads.searches import is_id
from cds_service.fhir_reads.targets import Base

KEY: Final = "references"
"""The key under which resolved resources join the prefetch; it promises no kind of data."""
MOST: Final = 40
"""Of the references of one call no more are followed; an EHR that prefetches sends names beside them."""
_REFERRED: Final = frozenset(["Medication"])


def unresolved(raws: Iterable[RawResource], prefetch: Mapping[str, Any] | None, drafts: Any, drugs: DrugIndex) -> tuple[str, ...]:  # noqa: ANN401
    """Return the addresses of Medications that are not in the call and whose drug matters, or cannot be told without them.

    A reference whose display names a drug that concerns no rule is left alone.
    """
    index = _index(prefetch, drafts)
    found: dict[str, None] = {}
    for raw in raws:
        address = _address(raw)
        if not address or address in index or local_reference(address) in index or address.startswith("#"):
            continue
        said = ordered_medication(raw, lambda _: None)
        if said is not None and drugs.find(said) is not None:
            found[address] = None
    return tuple(found)


def listed_medications(prefetch: Mapping[str, Any] | None) -> Iterator[RawResource]:
    """Yield each request, statement, dispense and administration of the prefetch lists."""
    for key, value in (prefetch or {}).items():
        for entry in bundle_entries(value, key):
            if entry.raw is not None and entry.resource_type in MEDICATION_TYPES:
                yield entry.raw


def drafted(orders: Iterable[MedicationRecord], drafts: Any) -> Iterator[RawResource]:  # noqa: ANN401 - any JSON value
    """Yield the drafts, as sent, that became orders of the chart."""
    kept = {order.where.partition(" ")[0] for order in orders}
    return (entry.raw for entry in bundle_entries(drafts, "draftOrders") if entry.raw is not None and entry.place in kept)


def target_of(address: str, base: Base) -> str | None:
    """Return where a Medication is read: `Medication/<id>`, relative or absolute under the call's own base; else nothing."""
    if "#" in address:
        return None
    resource_type, _, resource_id = local_reference(address).partition("/")
    if resource_type not in _REFERRED or not is_id(resource_id):
        return None
    target = base.target(f"{resource_type}/{resource_id}")
    return target if base.target_of(address.partition("/_history/")[0]) == target else None


def read(address: str, pool: FhirPool, reading: Reading) -> dict[str, Any]:
    """Read one Medication, as the entry of a Bundle; raises ReadFailed."""
    target = target_of(address, reading.base)
    if target is None:
        raise ReadFailed(Fault.STRANGE_LINK)
    found = pool.get(target, reading)
    wanted = local_reference(address)
    if not isinstance(found, dict) or f"{found.get('resourceType')}/{text_of(found.get('id'))}" != wanted:
        raise ReadFailed(Fault.WRONG_RESOURCE)
    return {"fullUrl": address, "resource": found}


def _index(prefetch: Mapping[str, Any] | None, drafts: Any) -> Mapping[str, RawResource]:  # noqa: ANN401 - any JSON value
    """Index what the call brings itself, as the reader of the chart will."""
    entries = [entry for value in (drafts, *(prefetch or {}).values()) for entry in bundle_entries(value, "")]
    alone = [("", value) for value in (prefetch or {}).values() if isinstance(value, Mapping) and "entry" not in value]
    return referable([(entry.full_url, entry.raw) for entry in entries if entry.raw is not None] + alone)


def _address(raw: RawResource) -> str:
    """Return the reference of an order to its medication, where it is not contained in the order itself."""
    r5 = members(raw.get("medication"))
    address = reference(raw.get("medicationReference") or (r5 if isinstance(r5.get("reference"), str) else r5.get("reference")))
    contained = {text_of(members(one).get("id")) for one in listed(raw.get("contained"))}
    return "" if address in contained else address
