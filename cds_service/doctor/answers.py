"""Floor 7: is an answer with cards one that EHRs can show (CDS Hooks 2.0.1, #cds-service-response)?"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

Say = Iterator[str]
Test = Callable[[Any], bool]
_LONGEST_SUMMARY: Final = 139
_INDICATORS: Final = ("info", "warning", "critical")
_BEHAVIOURS: Final = ("at-most-one", "any")
_NOT_OURS: Final = frozenset(["resource", "extension"])
"""Members whose content is not CDS Hooks' own."""


def _is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value)


def _is_absolute(value: object) -> bool:
    return isinstance(value, str) and value.startswith(("https://", "http://"))


def _is_list(value: object) -> bool:
    return isinstance(value, list) and bool(value)


def _is_object(value: object) -> bool:
    return isinstance(value, dict) and bool(value)


def _is_switch(value: object) -> bool:
    return isinstance(value, bool)


def _is_one_of(*words: str) -> Test:
    return lambda value: isinstance(value, str) and value in words


def _is_summary(value: object) -> bool:
    return isinstance(value, str) and 0 < len(value) <= _LONGEST_SUMMARY


_TEXT: Final = (_is_text, "a text")
_ABSOLUTE: Final = (_is_absolute, "an absolute address")
_LIST: Final = (_is_list, "a list that is not empty")
_OBJECT: Final = (_is_object, "an object")
_SWITCH: Final = (_is_switch, "true or false")

Shape = Mapping[str, tuple[bool, tuple[Test, str]]]
"""Each member: whether it is required, and what it must be."""

_CARD: Final[Shape] = {
    "uuid": (False, _TEXT),
    "summary": (True, (_is_summary, "a sentence of fewer than 140 characters")),
    "detail": (False, _TEXT),
    "indicator": (True, (_is_one_of(*_INDICATORS), "info, warning or critical")),
    "source": (True, _OBJECT),
    "suggestions": (False, _LIST),
    "selectionBehavior": (False, (_is_one_of(*_BEHAVIOURS), "at-most-one or any: another value makes the whole card an error")),
    "overrideReasons": (False, _LIST),
    "links": (False, _LIST),
    "extension": (False, _OBJECT),
}
_SOURCE: Final[Shape] = {
    "label": (True, _TEXT),
    "url": (False, _ABSOLUTE),
    "icon": (False, _ABSOLUTE),
    "topic": (False, _OBJECT),
    "extension": (False, _OBJECT),
}
_CODING: Final[Shape] = {"system": (True, _TEXT), "code": (True, _TEXT), "display": (False, _TEXT)}
_REASON: Final[Shape] = {**_CODING, "display": (True, _TEXT)}
_SUGGESTION: Final[Shape] = {
    "label": (True, _TEXT),
    "uuid": (False, _TEXT),
    "isRecommended": (False, _SWITCH),
    "actions": (False, _LIST),
    "extension": (False, _OBJECT),
}
_ACTION: Final[Shape] = {
    "type": (True, (_is_one_of("create", "update", "delete"), "create, update or delete")),
    "description": (True, _TEXT),
    "extension": (False, _OBJECT),
}
_LINK: Final[Shape] = {
    "label": (True, _TEXT),
    "url": (True, _ABSOLUTE),
    "type": (True, (_is_one_of("absolute", "smart"), "absolute or smart")),
    "appContext": (False, _TEXT),
    "autolaunchable": (False, _SWITCH),
    "extension": (False, _OBJECT),
}


def complaints(answer: object) -> Say:
    """Say everything in which an answer breaks the specification, with its place."""
    if not isinstance(answer, dict) or not isinstance(answer.get("cards"), list):
        yield "the answer has no array 'cards'"
        return
    for place, card in enumerate(answer["cards"]):
        yield from (f"cards[{place}]{wrong}" for wrong in _card(card))
    if "systemActions" in answer:
        yield from _empties(answer["systemActions"], "systemActions")
        yield from _each(answer["systemActions"], "systemActions", _action)


def _card(card: object) -> Say:
    yield from _shape(card, _CARD)
    if not isinstance(card, dict):
        return
    yield from _empties(card, "")
    yield from (f".source{wrong}" for wrong in _source(card.get("source", {})))
    if "suggestions" in card and "selectionBehavior" not in card:
        yield ".selectionBehavior is missing beside suggestions: clients drop the card"
    recommended = [one for one in _listed(card, "suggestions") if isinstance(one, dict) and one.get("isRecommended") is True]
    if len(recommended) > 1 and card.get("selectionBehavior") == "at-most-one":
        yield ".suggestions: several are recommended where at most one can be taken"
    yield from _each(card.get("suggestions"), ".suggestions", _suggestion)
    yield from _each(card.get("overrideReasons"), ".overrideReasons", lambda one: _shape(one, _REASON))
    yield from _each(card.get("links"), ".links", _link)


def _source(source: object) -> Say:
    yield from _shape(source, _SOURCE)
    if isinstance(source, dict) and "topic" in source:
        yield from (f".topic{wrong}" for wrong in _shape(source["topic"], _CODING))


def _suggestion(suggestion: object) -> Say:
    yield from _shape(suggestion, _SUGGESTION)
    if isinstance(suggestion, dict):
        yield from _each(suggestion.get("actions"), ".actions", _action)


def _action(action: object) -> Say:
    yield from _shape(action, _ACTION)
    if not isinstance(action, dict):
        return
    if action.get("type") in ("create", "update") and not _is_typed(action.get("resource")):
        yield ".resource: expected the whole resource"
    if action.get("type") == "delete" and not (_is_reference(action.get("resourceId")) or isinstance(action.get("resource"), str)):
        yield ".resourceId: expected a relative reference such as MedicationRequest/1"


def _is_typed(resource: object) -> bool:
    return isinstance(resource, dict) and _is_text(resource.get("resourceType"))


def _is_reference(value: object) -> bool:
    return isinstance(value, str) and value.count("/") == 1 and all(value.split("/"))


def _link(link: object) -> Say:
    yield from _shape(link, _LINK)
    if isinstance(link, dict) and link.get("type") == "absolute" and "appContext" in link:
        yield ".appContext is for smart links alone"


def _shape(value: object, shape: Shape) -> Say:
    """Compare one object with its shape."""
    if not isinstance(value, dict):
        yield " is no object"
        return
    for name, (is_required, (is_right, expected)) in shape.items():
        if name not in value:
            if is_required:
                yield f".{name} is missing; expected {expected}"
        elif value[name] not in (None, "", [], {}) and not is_right(value[name]):
            yield f".{name}: expected {expected}"
    yield from (f".{name} is no member that the specification names" for name in value if name not in shape and not _is_beside(name, shape))


def _is_beside(name: str, shape: Shape) -> bool:
    """Tell whether an action carries its resource, which is judged by the kind of action."""
    return shape is _ACTION and name in {"resource", "resourceId"}


def _empties(value: object, place: str) -> Say:
    """Find null, empty texts, lists and objects, which #use-of-json forbids."""
    if value in (None, "", [], {}):
        yield f"{place} is empty; leave it out"
    elif isinstance(value, dict):
        for name, inner in value.items():
            yield from _empties(True if inner and name in _NOT_OURS else inner, f"{place}.{name}")
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from _empties(inner, f"{place}[{number}]")


def _listed(holder: Mapping[str, Any], name: str) -> list[Any]:
    value = holder.get(name)
    return value if isinstance(value, list) else []


def _each(values: object, place: str, judge: Callable[[Any], Say]) -> Say:
    for number, value in enumerate(values if isinstance(values, list) else ()):
        yield from (f"{place}[{number}]{wrong}" for wrong in judge(value))


def remarks(cards: list[Mapping[str, Any]]) -> Say:
    """Say what single EHRs do with right answers, so that nobody is surprised; the cards have passed `complaints`."""
    suggestions = [one for card in cards for one in card.get("suggestions", ())]
    actions = [action for one in suggestions for action in one.get("actions", ())]
    if any("uuid" not in card for card in cards):
        yield "a card without uuid can get no feedback, and the public sandbox offers no way to dismiss it"
    if any("uuid" not in one for one in suggestions):
        yield "a suggestion without uuid can get no feedback"
    if any("<" in card.get("detail", "").replace("\\<", "") for card in cards):
        yield "'<' in a detail: the public sandbox reads it as HTML and can swallow text"
    if any("topic" not in card["source"] for card in cards):
        yield "no source.topic: Epic then forgets which cards were overridden"
    if any(len(one.get("actions", ())) > 1 for one in suggestions):
        yield "several actions in one suggestion: Epic takes one only"
    if any(card.get("selectionBehavior") == "at-most-one" for card in cards):
        yield "selectionBehavior at-most-one: Epic takes 'any' alone"
    if any(action["type"] == "update" for action in actions):
        yield "action update: Epic cannot update a MedicationRequest (create and delete only)"
