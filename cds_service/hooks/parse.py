"""Floor 5: from the bytes of a request to a HookCall, strict about JSON and lenient about what clients leave out.

Refused (400) is what is not one strict JSON object with the service's `hook` and a `context` object, a member twice in one
object anywhere in the body, and an id outside the FHIR alphabet. Everything else that is missing or odd is read as absent.
"""

import re
from collections.abc import Mapping
from decimal import Decimal
from types import MappingProxyType
from typing import Any, Final, get_args

import jiter

from cds_service.errors import RequestRefused
from cds_service.hooks.call import HookCall, HookName
from cds_service.hooks.wrapped import drafts_of, opened_prefetch

LONGEST_ID: Final = 256
"""FHIR ids have at most 64 characters; real EHRs send longer ones."""
_ID: Final = re.compile(rf"[A-Za-z0-9.\-]{{1,{LONGEST_ID}}}")
_TYPE: Final = re.compile(r"[A-Za-z]{1,64}")
_NO_BEGINNING: Final = MappingProxyType(
    {
        b"\xef\xbb\xbf": "a byte order mark",
        b"\xff\xfe": "another encoding (UTF-16)",
        b"\xfe\xff": "another encoding (UTF-16)",
        b"\x1f\x8b": "a compressed body",
    }
)
"""What sites send that no eye sees, by its first bytes."""
_PLACE: Final = re.compile(r" at (line [0-9]+ column [0-9]+)$")


def read_call(body: bytes, service_hook: HookName) -> HookCall:
    """Read one call of the service for `service_hook`; raises RequestRefused, which never repeats what was sent."""
    envelope = read_object(body)
    _check_hook(envelope.get("hook"), service_hook)
    context = envelope.get("context")
    if not isinstance(context, dict):
        raise RequestRefused("REQ-006", f"{kind_of(context)} as 'context'", "an object with the context of the hook", issue="required")
    return HookCall(
        hook=service_hook,
        hook_instance=_hook_instance(envelope.get("hookInstance")),
        patient_id=_patient_id(context.get("patientId")),
        user_id=_reference(context.get("userId")),
        encounter_id=_reference(context.get("encounterId")),
        draft_orders=_draft_orders(drafts_of(context)),
        selections=_selections(context.get("selections")),
        prefetch=opened_prefetch(_object_or_none(envelope.get("prefetch"))),
        fhir_server=_text(envelope.get("fhirServer")),
        fhir_authorization=_object_or_none(envelope.get("fhirAuthorization")),
    )


def read_object(body: bytes) -> Mapping[str, Any]:
    """Parse one object of strict UTF-8 JSON for a message, numbers with a fraction as Decimal; the parser refuses NaN and nesting beyond 200 levels."""
    try:
        envelope = jiter.from_json(body, float_mode="decimal", allow_inf_nan=False, catch_duplicate_keys=True)
    except ValueError as error:
        raise _not_json(body, str(error)) from None
    if not isinstance(envelope, dict):
        raise RequestRefused("REQ-003", f"{kind_of(envelope)} as body", "a JSON object")
    return envelope


def _not_json(body: bytes, parser_says: str) -> RequestRefused:
    """Tell where the body stops being JSON, without the parser's own words: they can quote the body."""
    place = _PLACE.search(parser_says)
    where = place[1] if place else "an unknown place"
    if parser_says.startswith("Detected duplicate key"):
        return RequestRefused("REQ-002", f"a member that stands twice in one object, at {where}", "each member once")
    begins = next((what for mark, what in _NO_BEGINNING.items() if body.startswith(mark)), "")
    found = begins or (f"no strict JSON at {where}" if body else "an empty body")
    return RequestRefused("REQ-001", found, "one JSON object in UTF-8, with finite numbers, at most 200 levels deep")


def _check_hook(hook: object, service_hook: HookName) -> None:
    """Refuse a call of another hook: this service would give advice meant for another moment."""
    if not isinstance(hook, str):
        raise RequestRefused("REQ-004", f"{kind_of(hook)} as 'hook'", f"'{service_hook}'", issue="required")
    if hook != service_hook:
        found = f"'{hook}'" if hook in get_args(HookName) else "another hook"
        raise RequestRefused("REQ-005", found, f"'{service_hook}'", issue="value")


def _hook_instance(sent: object) -> str:
    """Accept any text: EHRs send UUIDs of every version and things that only look like one."""
    if sent is None:
        return ""
    if not isinstance(sent, str) or len(sent) > LONGEST_ID:
        raise RequestRefused("REQ-007", f"{kind_of(sent)} as 'hookInstance'", f"a text of at most {LONGEST_ID} characters", issue="value")
    return sent


def _patient_id(sent: object) -> str:
    """Return the bare id; `Patient/x` is seen in the field for the `x` that the hook definition asks for."""
    if sent is None or sent == "":
        return ""
    bare = sent.removeprefix("Patient/") if isinstance(sent, str) else ""
    if not _is_id(bare):
        expected = f"an id of 1 to {LONGEST_ID} letters, digits, hyphens and dots"
        raise RequestRefused("REQ-008", f"{kind_of(sent)} that is no FHIR id as 'context.patientId'", expected, issue="value")
    return bare


def _is_id(text: str) -> bool:
    """Tell whether a text is a FHIR id; dots alone are none, because in a URL they would lead elsewhere."""
    return _ID.fullmatch(text) is not None and text.strip(".") != ""


def _reference(sent: object) -> str:
    """Keep an id or a `Type/id`; anything else is as good as not sent."""
    if not isinstance(sent, str):
        return ""
    resource_type, slash, bare = sent.rpartition("/")
    is_typed = not slash or _TYPE.fullmatch(resource_type) is not None
    return sent if is_typed and _is_id(bare) else ""


def _draft_orders(sent: object) -> Mapping[str, Any] | None:
    """Keep the Bundle; a second click in the public sandbox sends none, which is no error."""
    if sent is None or isinstance(sent, dict):
        return sent
    raise RequestRefused("REQ-009", f"{kind_of(sent)} as 'context.draftOrders'", "a FHIR Bundle, or a JSON text that holds one")


def _selections(sent: object) -> tuple[str, ...] | None:
    """Keep a list of references; one that cannot be read narrows nothing, so that all drafts are looked at."""
    if not isinstance(sent, list) or not sent or not all(isinstance(one, str) for one in sent):
        return None
    return tuple(sent)


def _object_or_none(sent: object) -> Mapping[str, Any] | None:
    """Keep an object; anything else is as good as not sent."""
    return sent if isinstance(sent, dict) else None


def _text(sent: object) -> str:
    """Keep a text; anything else is as good as not sent."""
    return sent if isinstance(sent, str) else ""


def kind_of(value: object) -> str:
    """Name what sort of JSON value was found, never the value."""
    kinds: tuple[tuple[type | tuple[type, ...], str], ...] = (
        (type(None), "nothing"),
        (bool, "true or false"),
        (str, "a text"),
        ((int, Decimal), "a number"),
        (list, "a list"),
    )
    return next((name for types, name in kinds if isinstance(value, types)), "an object")
