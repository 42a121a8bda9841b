"""Floor 5: the request of a CDS client (CDS Hooks 2.0.1, #http-request_1), as the service reads it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

HookName = Literal["order-select", "order-sign"]


@dataclass(frozen=True, slots=True)
class HookCall:
    """One call. `draft_orders` and `prefetch` are raw JSON, numbers as int or Decimal; absent members are `None` or empty.

    `selections` is `None` where the client sent none (then all drafts are meant). `patient_id` is the bare id.
    """

    hook: HookName
    hook_instance: str
    patient_id: str = field(repr=False)
    user_id: str = ""
    encounter_id: str = ""
    draft_orders: Mapping[str, Any] | None = field(default=None, repr=False)
    selections: tuple[str, ...] | None = None
    prefetch: Mapping[str, Any] | None = field(default=None, repr=False)
    fhir_server: str = ""
    fhir_authorization: Mapping[str, Any] | None = field(default=None, repr=False)
