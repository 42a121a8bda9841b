"""Floor 5: the discovery message (CDS Hooks 2.0.1, #discovery) with the prefetch templates that the rules need."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from cds_service.fhir.chart import Kind
from cds_service.hooks.call import HookName

HOOK_VERSION: Final = "1.0"
"""Version of both order hooks in the published hook library: what `hookVersion` shall match."""

PREFETCH: Final[Mapping[str, tuple[Kind, str]]] = MappingProxyType(
    {
        "patient": (Kind.PATIENT, "Patient/{{context.patientId}}"),
        "conditions": (Kind.CONDITIONS, "Condition?patient={{context.patientId}}"),
        "activeMedications": (
            Kind.MEDICATIONS,
            "MedicationRequest?patient={{context.patientId}}&status=active,on-hold,unknown",
        ),
        "recentMedications": (
            Kind.HISTORY,
            "MedicationRequest?patient={{context.patientId}}&_sort=-authoredon&_count=100",
        ),
    },
)
"""Each key with the kind of data it brings and its query.

One query each, with the search parameters that #prefetch-query-restrictions allows: no parameter twice (the public sandbox
joins them with a comma), no `_include`, no token into draftOrders (forbidden by both hooks), no encounterId (optional there).
"""


CARD_WITHOUT_DATA: Final = "Where a list is missing or could not be read, a card says which check could not be made, with status 200: nothing is passed over in silence."
STATUS_412_WITHOUT_DATA: Final = (
    "Where a list could not be had at all, the answer is status 412 with an OperationOutcome, unless a warning was found all the same; "
    "where a part of it could not be read, a card says which check could not be made, with status 200."
)
"""What `usageRequirements` says of missing data, by the choice of the site (#prefetch-template)."""


@dataclass(frozen=True, slots=True)
class ServiceDescription:
    """One service as the manifest of the rules describes it; `kinds` are those that its active rules read."""

    id: str
    hook: HookName
    title: str
    description: str
    usage_requirements: str = ""
    kinds: frozenset[Kind] = frozenset(Kind)


def prefetch_templates(kinds: Iterable[Kind]) -> dict[str, str]:
    """Return the templates, by key, that bring the given kinds of data."""
    wanted = frozenset(kinds)
    return {key: query for key, (kind, query) in PREFETCH.items() if kind in wanted}


def discovery_answer(services: Iterable[ServiceDescription], specification: str) -> dict[str, Any]:
    """Return the answer to GET /cds-services; `specification` is the CDS Hooks version to advertise ("2.0.1")."""
    return {"services": [_service(service, specification) for service in services]}


def _service(service: ServiceDescription, specification: str) -> dict[str, Any]:
    """Describe one service, without empty members (#use-of-json); `version` and `hookVersion` are additions of 3.0."""
    members = {
        "hook": service.hook,
        "title": service.title,
        "description": service.description,
        "id": service.id,
        "prefetch": prefetch_templates(service.kinds),
        "usageRequirements": service.usage_requirements,
        "version": specification,
        "hookVersion": HOOK_VERSION,
    }
    return {name: value for name, value in members.items() if value}
