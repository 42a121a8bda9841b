"""Floor 5: from the bytes of a feedback request to what clinicians did with cards (CDS Hooks 2.0.1, #feedback).

Refused (400) is what is not one strict JSON object with a list of items that each name a card and an outcome. Everything else is
read leniently: Epic sends `overrideReasons`, as an object or a list, with its reasons in an extension, and cards that are no UUID.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any, Final, Literal

from cds_service.errors import RequestRefused
from cds_service.hooks.parse import kind_of, read_object

MOST_ITEMS: Final = 1000
"""Items in one request; EHRs that collect feedback send hundreds at a time."""
LONGEST_NAME: Final = 256
LONGEST_COMMENT: Final = 4000
_MOST_PARTS: Final = 50
"""Suggestions and reasons that are kept of one item."""
_UUID: Final = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_NOT_TEXT: Final = {code: " " for code in (*range(32), *range(127, 160), 0x2028, 0x2029) if code not in (9, 10, 13)}
_NOT_A_NAME: Final = {**_NOT_TEXT, 9: " ", 10: " ", 13: " "}
_EPIC_DISPLAYS: Final = ("reasonDisplay", "reasonTitle")
_EPIC_CODES: Final = ("reasonCategory", "reasonCode", "reasonId")

Outcome = Literal["accepted", "overridden"]


@dataclass(frozen=True, slots=True)
class OverrideReason:
    """Why a card was overridden: a choice from a list, of which clients may leave out any part but one."""

    system: str = ""
    code: str = ""
    display: str = ""


@dataclass(frozen=True, slots=True)
class FeedbackItem:
    """What was done with one card. `outcome_at` is in UTC, or None where the client gave no readable time.

    `comment` is what a clinician typed, and may tell of the patient.
    """

    card: str
    outcome: Outcome
    accepted: tuple[str, ...] = ()
    reasons: tuple[OverrideReason, ...] = ()
    outcome_at: datetime | None = None
    comment: str = field(default="", repr=False)


def read_feedback(body: bytes) -> tuple[FeedbackItem, ...]:
    """Read all items of a request, or none: raises RequestRefused, which never repeats what was sent."""
    items = read_object(body).get("feedback")
    if not isinstance(items, list) or not items:
        found = "an empty list" if items == [] else kind_of(items)
        raise RequestRefused("REQ-020", f"{found} as 'feedback'", "a list of at least one item", issue="required")
    if len(items) > MOST_ITEMS:
        status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
        raise RequestRefused("REQ-021", f"{len(items)} items in 'feedback'", f"at most {MOST_ITEMS}", status=status, issue="too-long")
    return tuple(_item(sent, f"feedback[{index}]") for index, sent in enumerate(items))


def _item(sent: object, where: str) -> FeedbackItem:
    if not isinstance(sent, dict):
        raise RequestRefused("REQ-022", f"{kind_of(sent)} as '{where}'", "an object with 'card' and 'outcome'")
    overriding = tuple(_overriding(sent))
    return FeedbackItem(
        card=_card(sent.get("card"), where),
        outcome=_outcome(sent.get("outcome"), where),
        accepted=tuple(_unique(_suggestions(sent.get("acceptedSuggestions")))),
        reasons=tuple(_unique(_reasons(overriding, sent)))[:_MOST_PARTS],
        outcome_at=_moment(sent.get("outcomeTimestamp")),
        comment=_comment(overriding, sent),
    )


def _card(sent: object, where: str) -> str:
    """Take any text that can stand in a line; a UUID is written in small letters, as it was sent out."""
    name = _name(sent)
    if not name or not isinstance(sent, str) or len(sent) > LONGEST_NAME:
        expected = f"the uuid of a card, a text of 1 to {LONGEST_NAME} characters"
        raise RequestRefused("REQ-023", f"{_unfit(sent, 'names no card')} as '{where}.card'", expected, issue="required")
    return name.lower() if _UUID.fullmatch(name) else name


def _outcome(sent: object, where: str) -> Outcome:
    if sent == "accepted":
        return "accepted"
    if sent == "overridden":
        return "overridden"
    found = f"{_unfit(sent, 'is no outcome')} as '{where}.outcome'"
    raise RequestRefused("REQ-024", found, "'accepted' or 'overridden'", issue="value")


def _unfit(sent: object, lacks: str) -> str:
    """Say what was found: nothing at all, or what kind of value that does not do."""
    return kind_of(sent) if sent is None else f"{kind_of(sent)} that {lacks}"


def _suggestions(sent: object) -> Iterator[str]:
    """Take the ids that are there; a suggestion without one was accepted all the same."""
    for one in _listed(sent)[:_MOST_PARTS]:
        name = _name(one.get("id") or one.get("uuid") if isinstance(one, dict) else one).replace(" ", "_")
        if name:
            yield name.lower() if _UUID.fullmatch(name) else name


def _overriding(sent: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Gather the objects that say why a card was overridden, by the specification's member and by Epic's."""
    for member in ("overrideReason", "overrideReasons"):
        for one in _listed(sent.get(member))[:_MOST_PARTS]:
            if isinstance(one, dict):
                yield one
            elif isinstance(one, str):
                yield {"reason": {"code": one}}


def _reasons(overriding: Iterable[Mapping[str, Any]], item: Mapping[str, Any]) -> Iterator[OverrideReason]:
    for one in overriding:
        for reason in (*_listed(one.get("reason")), one):
            yield from _reason(reason)
        yield from _in_extension(one.get("extension"))
    yield from _in_extension(item.get("extension"))


def _reason(sent: object) -> Iterator[OverrideReason]:
    """Read a Coding, a CodeableConcept or a bare text."""
    if isinstance(sent, str):
        sent = {"display": sent}
    if not isinstance(sent, dict):
        return
    display = _name(sent.get("display")) or _name(sent.get("text"))
    reason = OverrideReason(_name(sent.get("system")), _name(sent.get("code")), display)
    if reason.code or reason.display:
        yield reason
    for coding in _listed(sent.get("coding"))[:_MOST_PARTS]:
        if isinstance(coding, dict) and "coding" not in coding:
            yield from _reason(coding)


def _in_extension(sent: object) -> Iterator[OverrideReason]:
    """Read Epic's reasons, which stand as `com.epic…overrideReason.reasonDisplay` beside others, or as a Coding under some key."""
    if not isinstance(sent, dict):
        return
    named = {key.rpartition(".")[2]: (key.rpartition(".")[0], _name(value)) for key, value in sent.items()}
    displays = [named[name] for name in _EPIC_DISPLAYS if name in named and named[name][1]]
    codes = [named[name] for name in _EPIC_CODES if name in named and named[name][1]]
    if displays or codes:
        (system, _), code, display = (codes or displays)[0], codes[0][1] if codes else "", displays[0][1] if displays else ""
        yield OverrideReason(_name(system) if code else "", code, display)
    for value in list(sent.values())[:_MOST_PARTS]:
        for one in _listed(value)[:_MOST_PARTS]:
            if isinstance(one, dict):
                yield from _reason(one.get("reason") if isinstance(one.get("reason"), dict) else one)


def _comment(overriding: Iterable[Mapping[str, Any]], item: Mapping[str, Any]) -> str:
    """Take what was typed, wherever a client puts it; several comments are told under one another."""
    sent = (one.get("userComment") for one in (*overriding, item))
    return "\n".join(_unique(text for text in (_text(one) for one in sent) if text))[:LONGEST_COMMENT]


def _moment(sent: object) -> datetime | None:
    """Read an instant of RFC 3339; one without a zone is taken as UTC, one that no calendar has is as good as not sent."""
    if not isinstance(sent, str) or len(sent) > LONGEST_NAME:
        return None
    try:
        moment = datetime.fromisoformat(sent.strip())
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _listed(sent: object) -> list[Any]:
    """Take a list as it is, and a single value as a list of one."""
    if isinstance(sent, list):
        return sent
    return [] if sent is None else [sent]


def _name(sent: object) -> str:
    """Take a text (or a whole number) as one line of bounded length, without control characters."""
    text = str(sent) if isinstance(sent, int) and not isinstance(sent, bool) and abs(sent) < 10**18 else sent
    return " ".join(text[: 4 * LONGEST_NAME].translate(_NOT_A_NAME).split())[:LONGEST_NAME].strip() if isinstance(text, str) else ""


def _text(sent: object) -> str:
    """Take what somebody typed, with its line breaks."""
    return sent[: 4 * LONGEST_COMMENT].translate(_NOT_TEXT).strip()[:LONGEST_COMMENT] if isinstance(sent, str) else ""


def _unique(values: Iterable[Any]) -> Iterator[Any]:
    """Keep each value once, in order."""
    return iter(dict.fromkeys(values))
