"""Floor 5: takes out of its wrapping what some clients send as a JSON text, or as a bare list, where FHIR has an object.

Integration engines write a resource into a message as text; what cannot be taken out of it stays as it was sent, and its
readers say that it was not read. Older hooks named the drafts `medications` and `orders` (CDS Hooks 1.0).
"""

from collections.abc import Mapping
from typing import Any, Final

import jiter

_OLD_NAMES: Final = ("medications", "orders")
"""Members of the contexts of medication-prescribe and order-review, both given up for order-select and order-sign."""
_MOST_LAYERS: Final = 3
"""A text within a text within a text has been seen; deeper ones are no accident."""


def opened(value: Any) -> Any:  # noqa: ANN401 - any JSON value
    """Return what a JSON text holds, read as strictly as the body itself; any other value as it is."""
    for _ in range(_MOST_LAYERS):
        if not isinstance(value, str) or not value.lstrip().startswith(("{", "[", '"')):
            break
        try:
            value = jiter.from_json(value.encode(), float_mode="decimal", allow_inf_nan=False, catch_duplicate_keys=True)
        except ValueError:
            break
    return value


def opened_bundle(sent: Any) -> Any:  # noqa: ANN401 - any JSON value
    """Open a Bundle, its entries and their resources for the reader of the chart; a copy is made only of what was wrapped."""
    bundle = opened(sent)
    entries = bundle.get("entry") if isinstance(bundle, dict) else bundle
    if not isinstance(entries, list) or not any(map(_is_wrapped, entries)):
        return bundle
    found = [_opened_entry(one) for one in entries]
    return {**bundle, "entry": found} if isinstance(bundle, dict) else found


def opened_prefetch(prefetch: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    """Open each value of a prefetch for the reader of the chart."""
    return None if prefetch is None else {key: opened_bundle(value) for key, value in prefetch.items()}


def drafts_of(context: Mapping[str, Any]) -> Any:  # noqa: ANN401 - any JSON value
    """Find the drafts of a context for HookCall: under their name, else under the names of the older hooks; a list of resources is a Bundle of them."""
    sent = context.get("draftOrders")
    if sent is None:
        sent = next((context[name] for name in _OLD_NAMES if isinstance(context.get(name), dict)), None)
    found = opened_bundle(sent)
    is_list = isinstance(found, list) and any(isinstance(one, dict) for one in found)
    return {"resourceType": "Bundle", "entry": found} if is_list else found


def _is_wrapped(entry: Any) -> bool:  # noqa: ANN401 - any JSON value
    return isinstance(entry, str) or (isinstance(entry, dict) and isinstance(entry.get("resource"), str))


def _opened_entry(entry: Any) -> Any:  # noqa: ANN401 - any JSON value
    one = opened(entry)
    return {**one, "resource": opened(one["resource"])} if isinstance(one, dict) and isinstance(one.get("resource"), str) else one
