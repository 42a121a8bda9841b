"""Floor 2: which prefetch value is what, how complete it is, and the resources in it.

EHR sites type prefetch keys and queries in by hand, so a value is recognised by its content, then by the query that it
answers (the Bundle's self link), then by its key. Sources: CDS Hooks 2.0.1 #prefetch-template; FHIR R4 search, Bundle.link.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, timedelta
from decimal import Decimal
from itertools import pairwise
from types import MappingProxyType
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

from cds_service.fhir.chart import Completeness, Kind
from cds_service.fhir.elements import RawResource
from cds_service.fhir.values import day, listed, members, safe_word, text_of, whole

_TYPES: Final[Mapping[str, frozenset[Kind]]] = MappingProxyType(
    {
        "Patient": frozenset([Kind.PATIENT]),
        "Condition": frozenset([Kind.CONDITIONS]),
        "MedicationRequest": frozenset([Kind.MEDICATIONS, Kind.HISTORY]),
        "MedicationOrder": frozenset([Kind.MEDICATIONS, Kind.HISTORY]),
        "MedicationStatement": frozenset([Kind.MEDICATIONS]),
        "MedicationDispense": frozenset([Kind.HISTORY]),
        "MedicationAdministration": frozenset([Kind.HISTORY]),
    },
)
"""Resource types that rules read, with the kinds of data that they tell of."""
_OPTIONAL: Final = frozenset(["MedicationStatement", "MedicationDispense", "MedicationAdministration"])
"""Used when sent, never missed; one that was sent and is broken leaves its kind partial."""
_ORDERS: Final = frozenset(["MedicationRequest", "MedicationOrder"])

_NAMES: Final = (
    (("allerg", "intoleran", "labs", "labor", "observ", "screen", "draft"), ""),
    (("statement",), "MedicationStatement"),
    (("dispens",), "MedicationDispense"),
    (("administ",), "MedicationAdministration"),
    (("condition", "problem", "diagnos"), "Condition"),
    (("med", "rx", "prescription", "drug"), "MedicationRequest"),
    (("patient",), "Patient"),
    (("cond",), "Condition"),
)
"""Parts of a key's name with the type that it promises; the first part found counts, none means a key of no concern."""
_NOW: Final = ("active", "current")
_THEN: Final = ("recent", "history", "past", "prior", "previous", "inactive", "discontinued", "stopped", "completed")

_ACTIVE: Final = frozenset(["active"])
_ENDED: Final = frozenset(["completed", "stopped", "ended"])
_PRESENT_PROBLEMS: Final = frozenset(["active", "recurrence", "relapse"])
_NARROWING: Final = frozenset(["_id", "_lastupdated", "identifier", "code", "medication", "encounter", "context", "requester"])
"""Search parameters that leave out drugs or diagnoses which a rule could need."""
_NO_ERROR: Final = frozenset(["information", "warning", "success"])
_NEWEST_FIRST: Final = frozenset(["-authoredon", "-date", "-datewritten"])
OUR_NEWEST_FIRST: Final = "recentMedications"
"""The key of our own template that asks for the newest first; its Bundle may come without a self link."""
_LONGEST_ORDER: Final = timedelta(days=366)
"""An order can stay in force for a year: a list that starts later can lack one in force now."""
_LONGEST_REACH: Final = 36500
_MOST_PARAMETERS: Final = 100
_DATE_PARAMETERS: Final = ("authoredon", "datewritten", "date")

_RANK: Final = (Completeness.COMPLETE, Completeness.PARTIAL, Completeness.FAILED, Completeness.MISSING)


@dataclass(frozen=True, slots=True)
class Entry:
    """One resource of a Bundle, or a resource that stands by itself, with its place; `None` where there is none to read."""

    place: str
    raw: RawResource | None
    full_url: str = ""
    is_included: bool = False
    """Brought along by `_include`: not an answer to the query itself."""
    is_unreadable: bool = False
    """Something stands there, and it is no resource."""

    @property
    def resource_type(self) -> str:
        """The type as sent, or nothing."""
        return text_of(self.raw.get("resourceType")) if self.raw is not None else ""


@dataclass(frozen=True, slots=True)
class Portion:
    """One prefetch value: its entries, and for each kind that it covers how completely.

    `asides` are the kinds that statements, dispenses and administrations tell of, with their state; they are never missed.
    `concerns` are the kinds that an unreadable entry would leave partial.
    """

    entries: tuple[Entry, ...] = ()
    covers: Mapping[Kind, Completeness] = field(default_factory=lambda: MappingProxyType({}))
    asides: Mapping[Kind, Completeness] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def concerns(self) -> frozenset[Kind]:
        """The kinds of an unreadable entry; where the value was recognised by nothing, those that its entries tell of."""
        told = frozenset(self.covers) | frozenset(self.asides)
        return told or frozenset(kind for entry in self.entries for kind in _TYPES.get(entry.resource_type, ()))


@dataclass(frozen=True, slots=True)
class _Window:
    """Today, the last day before the longest interval in force, and the day before which no order in force was written."""

    today: date
    before: date
    oldest_in_force: date


@dataclass(frozen=True, slots=True)
class _Query:
    """The search that a Bundle answers, from its self link; without a type it tells nothing."""

    resource_type: str = ""
    parameters: tuple[tuple[str, str, str], ...] = ()
    """Name in lower case, modifier ("not" of `status:not`), value."""

    def values(self, name: str, *, negated: bool = False) -> tuple[str, ...]:
        """Return every value of a parameter in lower case without its system, asked for or, negated, left out."""
        found = (value for key, modifier, value in self.parameters if key == name and (modifier == "not") is negated)
        return tuple(word.rpartition("|")[2].strip().lower() for value in found for word in value.split(","))

    @property
    def is_narrow(self) -> bool:
        """Some drugs or diagnoses that a rule could need are left out."""
        return any(name in _NARROWING for name, _, _ in self.parameters)

    @property
    def is_newest_first(self) -> bool:
        """The query asks for the newest first, as R4 (`_sort=-date`) or STU3 (`_sort:desc=date`) writes it."""
        first = next((f"-{value}" if modifier == "desc" else value for key, modifier, value in self.parameters if key == "_sort"), "")
        return first.partition(",")[0].lower() in _NEWEST_FIRST


def portions(prefetch: Mapping[str, Any] | None, *, today: date, history_days: Decimal) -> tuple[Portion, ...]:
    """Recognise each prefetch value; `history_days` is the longest interval in force, in days."""
    reach = timedelta(days=min(int(history_days), _LONGEST_REACH))
    window = _Window(today, today - reach, today - _LONGEST_ORDER)
    return tuple(_portion(key, value, window) for key, value in (prefetch or {}).items())


def completeness(read: Iterable[Portion], spoilt: Iterable[Kind]) -> Mapping[Kind, Completeness]:
    """Say how complete each kind is: the best of what covers it, and no more than partial where an entry spoilt it."""
    every = tuple(read)
    broken = {kind for one in every for kind, state in one.asides.items() if state is not Completeness.COMPLETE}
    limited = broken | set(spoilt)
    states = {kind: _best(one.covers[kind] for one in every if kind in one.covers) for kind in Kind}
    return MappingProxyType({kind: _at_most_partial(state) if kind in limited else state for kind, state in states.items()})


def _at_most_partial(state: Completeness) -> Completeness:
    """Return the state, or partial for a complete one."""
    return Completeness.PARTIAL if state is Completeness.COMPLETE else state


def _best(states: Iterable[Completeness]) -> Completeness:
    """Return the best state; missing where there is none."""
    return min(states, key=_RANK.index, default=Completeness.MISSING)


def bundle_entries(bundle: Any, place: str) -> tuple[Entry, ...]:  # noqa: ANN401 - any JSON value
    """Return the entries of a Bundle; a bare resource is read as an entry, also in place of the whole Bundle."""
    sent = members(bundle)
    if "entry" not in sent and text_of(sent.get("resourceType")) not in ("", "Bundle"):
        return (_entry(sent, f"{place}.entry[0]"),)
    return tuple(_entry(one, f"{place}.entry[{index}]") for index, one in enumerate(listed(sent.get("entry"))))


def _entry(value: Any, place: str) -> Entry:  # noqa: ANN401 - any JSON value
    """Read one entry of a Bundle."""
    sent = members(value)
    resource = sent if "resourceType" in sent and "resource" not in sent else sent.get("resource")
    raw = members(resource) or None
    is_included = members(sent.get("search")).get("mode") == "include"
    is_unreadable = raw is None and (not isinstance(value, Mapping | None) or not isinstance(resource, Mapping | None))
    return Entry(place, raw, text_of(sent.get("fullUrl")), is_included, is_unreadable)


def _portion(key: str, value: Any, window: _Window) -> Portion:  # noqa: ANN401 - any JSON value
    """Recognise one prefetch value."""
    place = f"prefetch.{safe_word(key)}"
    if isinstance(value, list) and any(isinstance(one, Mapping) for one in value) and members(value).get("resourceType") != "Bundle":
        return _of_list(key, value, place)
    sent = members(value)
    resource_type = text_of(sent.get("resourceType"))
    if resource_type == "Bundle" or (not resource_type and "entry" in sent):
        return _of_bundle(key, sent, place, window)
    if resource_type in _TYPES:
        state = Completeness.COMPLETE if resource_type == "Patient" else Completeness.PARTIAL  # one of a list is a part at most
        return _of_types([resource_type], (Entry(place, sent),), dict.fromkeys(_TYPES[resource_type], state))
    return _by_name(key, value, () if resource_type in ("", "OperationOutcome") else (Entry(place, sent),))


def _of_list(key: str, resources: list[Any], place: str) -> Portion:
    """Read a bare list of resources: what is in it counts, but nothing says that it is all."""
    entries = bundle_entries({"entry": resources}, place)
    types = _types(entries, _Query(), key)
    kinds = {kind for name in types for kind in _kinds(name, key, _Query(), entries)}
    return _of_types(types, entries, dict.fromkeys(kinds, Completeness.PARTIAL))


def _by_name(key: str, value: Any, entries: tuple[Entry, ...]) -> Portion:  # noqa: ANN401 - any JSON value
    """Recognise a value without content by its key; `null` is an empty search, but no answer to the read of a patient."""
    named = _named_type(key)
    is_empty = value is None or (members(value).get("resourceType") == "OperationOutcome" and not _is_error(value))
    if not named or (is_empty and named == "Patient"):
        return Portion(entries)
    kinds = _kinds_by_name(key, ()) if named in _ORDERS else _TYPES[named]
    return _of_types([named], entries, dict.fromkeys(kinds, Completeness.COMPLETE if is_empty else Completeness.FAILED))


def _of_types(types: Iterable[str], entries: tuple[Entry, ...], states: Mapping[Kind, Completeness]) -> Portion:
    """Part the states into those of kinds that are asked for and those that optional types tell of."""
    every = frozenset(types)
    required = frozenset(kind for name in every - _OPTIONAL for kind in _TYPES[name])
    covers = {kind: state for kind, state in states.items() if kind in required}
    asides = {kind: state for kind, state in states.items() if kind not in required}
    return Portion(entries, MappingProxyType(covers), MappingProxyType(asides))


def _of_bundle(key: str, bundle: RawResource, place: str, window: _Window) -> Portion:
    """Read a Bundle: what it covers by its entries, its query and its key, and what is known to be missing from it."""
    every = bundle_entries(bundle, place)
    entries = tuple(one for one in every if one.resource_type != "OperationOutcome")
    has_error = any(_is_error(one.raw) for one in every if one.resource_type == "OperationOutcome")
    query = _query(bundle)
    types = _types(entries, query, key)
    kinds = {kind for name in types for kind in _kinds(name, key, query, entries)}
    is_strange = any(one.resource_type for one in entries) and not any(one.resource_type in _TYPES for one in entries)
    if is_strange or (has_error and not entries):
        return _of_types(types, entries, dict.fromkeys(kinds, Completeness.FAILED))
    is_cut = has_error or _is_cut(bundle, entries)
    is_enough = not has_error and _reaches_back(key, query, entries, window)
    return _of_types(
        types, entries, {kind: _state(kind, query, window, is_cut and not (is_enough and kind is Kind.HISTORY)) for kind in kinds}
    )


def _types(entries: Iterable[Entry], query: _Query, key: str) -> frozenset[str]:
    """Tell which types a Bundle answers for: those that it holds and the one searched, else the one that the key promises."""
    reverse_included = {value.partition(":")[0] for name, _, value in query.parameters if name == "_revinclude"}
    found = {one.resource_type for one in entries if not one.is_included} | reverse_included | {query.resource_type}
    known = frozenset(found & set(_TYPES))
    name = "" if query.resource_type else _named_type(key)
    if known and not (known <= _OPTIONAL and name in _ORDERS):
        return known
    return known | frozenset([name] if name else ())  # a list of orders may be kept as statements or dispenses alone


def _kinds(name: str, key: str, query: _Query, entries: Iterable[Entry]) -> frozenset[Kind]:
    """Tell which kinds the entries of one type cover, by the filters of the query, else by the key."""
    is_asked = query.resource_type == name or {query.resource_type, name} <= _ORDERS
    if is_asked and query.is_narrow:
        return frozenset()
    if name == "Condition" and is_asked and (asked := frozenset(query.values("clinical-status"))):
        return _TYPES[name] if asked & _PRESENT_PROBLEMS else frozenset()
    if name not in _ORDERS:
        return _TYPES[name]
    if not is_asked:
        return _kinds_by_name(key, [text_of(one.raw.get("status")) for one in entries if one.raw is not None])
    asked, left_out = frozenset(query.values("status")), frozenset(query.values("status", negated=True))
    statuses = (asked or _ACTIVE | _ENDED) - left_out
    covered = {Kind.MEDICATIONS: _ACTIVE & statuses, Kind.HISTORY: _ENDED & statuses}
    return frozenset(kind for kind, found in covered.items() if found)


def _kinds_by_name(key: str, statuses: Iterable[str]) -> frozenset[Kind]:
    """Tell whether a list of orders is of those in force, of past ones or of both: by statuses if both occur, else by the key."""
    present = frozenset(statuses)
    name = key.lower()
    is_then = any(part in name for part in _THEN)
    is_now = any(part in name.replace("inactive", "") for part in _NOW)
    if (present & _ACTIVE and present & _ENDED) or is_now == is_then:
        return frozenset([Kind.MEDICATIONS, Kind.HISTORY])
    return frozenset([Kind.MEDICATIONS if is_now else Kind.HISTORY])


def _named_type(key: str) -> str:
    """Return the type that a key promises, or nothing."""
    name = key.lower().replace("medical", "")
    return next((resource_type for parts, resource_type in _NAMES if any(part in name for part in parts)), "")


def _is_error(outcome: Any) -> bool:  # noqa: ANN401 - any JSON value
    """Tell whether an OperationOutcome reports an error: any issue that is not surely harmless, or no issue at all."""
    severities = [text_of(members(issue).get("severity")) for issue in listed(members(outcome).get("issue"))]
    return not severities or any(severity not in _NO_ERROR for severity in severities)


def _is_cut(bundle: RawResource, entries: Iterable[Entry]) -> bool:
    """Tell whether a Bundle says that there is more: a next page, or a total above what it holds."""
    has_next = any(members(link).get("relation") == "next" for link in listed(bundle.get("link")))
    total = whole(bundle.get("total"), 0)
    return has_next or (total is not None and total > sum(not one.is_included for one in entries))


def _reaches_back(key: str, query: _Query, entries: Iterable[Entry], window: _Window) -> bool:
    """Tell whether a cut list surely holds all that is recent: newest first, and its oldest entry older than any interval."""
    is_claimed = query.is_newest_first or (not query.resource_type and key == OUR_NEWEST_FIRST)
    written = [_written(one.raw) for one in entries if one.raw is not None and one.resource_type in _ORDERS and not one.is_included]
    days = [one for one in written if one is not None]
    is_sorted = all(later >= earlier for later, earlier in pairwise(days))
    return is_claimed and bool(days) and is_sorted and days[-1] < window.before


def _written(raw: RawResource) -> date | None:
    """Return the last day on which an order can have been written."""
    found = day(raw.get("authoredOn", raw.get("dateWritten")), UTC)
    return found.last if found else None


def _state(kind: Kind, query: _Query, window: _Window, is_cut: bool) -> Completeness:  # noqa: FBT001 - the caller worked it out
    """Tell whether the dates that a query asks for leave out what a kind needs."""
    if is_cut:
        return Completeness.PARTIAL
    if kind not in (Kind.MEDICATIONS, Kind.HISTORY) or query.resource_type not in _ORDERS:
        return Completeness.COMPLETE
    needed = window.before if kind is Kind.HISTORY else window.oldest_in_force
    words = [word.upper() for name in _DATE_PARAMETERS for word in query.values(name)]
    return Completeness.COMPLETE if all(_lets_in(word, needed, window.today) for word in words) else Completeness.PARTIAL


def _lets_in(word: str, needed: date, today: date) -> bool:
    """Tell whether one date of a search lets in all orders from the day needed until today."""
    bound = day(word[2:], UTC)
    if bound is None:
        return False  # an exact day, or a token that the client left unresolved
    return bound.first <= needed if word[:2] in ("GE", "GT", "SA") else (word[:2] in ("LE", "LT", "EB") and bound.last >= today)


def _query(bundle: RawResource) -> _Query:
    """Read the query that a Bundle answers from its self link; one that cannot be read tells nothing."""
    links = (members(link) for link in listed(bundle.get("link")))
    address = next((text_of(link.get("url")) for link in links if link.get("relation") == "self"), "")
    try:
        parts = urlsplit(address)
        pairs = parse_qsl(parts.query, max_num_fields=_MOST_PARAMETERS)
    except ValueError:
        return _Query()
    searched = parts.path.rstrip("/").removesuffix("/_search").rpartition("/")[2]
    if not (searched.isalpha() and searched[:1].isupper() and searched[1:2].islower()):
        return _Query()
    return _Query(searched, tuple(_parameter(name, value) for name, value in pairs))


def _parameter(name: str, value: str) -> tuple[str, str, str]:
    """Part a parameter's name from its modifier and from what is chained to it."""
    bare, _, modifier = name.partition(":")
    return bare.partition(".")[0].lower(), modifier.lower(), value
