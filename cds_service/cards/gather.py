"""Which findings share a card, and in which order cards and their sections stand."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from cds_service.cards.library import CardFile, CardLibrary, Words
from cds_service.cards.offered import Named, name_of, named, words_of
from cds_service.facts.indications import in_sentence
from cds_service.facts.registry import Item
from cds_service.fhir.chart import Chart, MedicationRecord
from cds_service.fhir.terminology import DrugMatch
from cds_service.rulebook.types import Finding, MatchedExposure, Severity, Status

Key = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Orders:
    """The drafts of a signing by the name that facts give them, and the drugs of the chart by where they stand in the call."""

    places: Mapping[str, int]
    records: Mapping[str, MedicationRecord]
    drugs: Mapping[str, DrugMatch]

    def place(self, finding: Finding) -> int:
        """Return the index of the finding's order among the drafts; one that is not found comes last."""
        return self.places.get(finding.facts.order, len(self.places))


@dataclass(frozen=True, slots=True)
class Gathered:
    """The findings of one card, strongest first."""

    findings: tuple[Finding, ...]
    severity: Severity


@dataclass(frozen=True, slots=True)
class Part:
    """One section of a card: what a rule says, of which orders (by their names) and which exposures."""

    finding: Finding
    card: CardFile
    says: str
    orders: tuple[str, ...]
    exposures: tuple[Named, ...]


@dataclass(frozen=True, slots=True)
class _Telling:
    """One thing to tell: a finding, or one exposure that it matched."""

    finding: Finding
    says: str
    severity: Severity
    order: str
    order_drug: str
    exposure: Named | None = None

    @property
    def section(self) -> Key:
        """Tellings of one rule that say the same stand in one section; without exposures each order has its own."""
        return (self.finding.rule.id, self.says, "" if self.exposure else self.finding.facts.order)


def orders_of(chart: Chart) -> Orders:
    """Index the drafts; drafts that share a name have a place but no record, because none of them is meant for sure."""
    places: dict[str, int] = {}
    records: dict[str, MedicationRecord] = {}
    shared: set[str] = set()
    for index, record in enumerate(chart.orders):
        for name in {_name(record), record.where}:
            shared |= {name} & places.keys()
            places.setdefault(name, index)
            records[name] = record
    drugs = {record.where: record.drug for record in (*chart.orders, *chart.medications) if isinstance(record.drug, DrugMatch)}
    return Orders(places, {name: record for name, record in records.items() if name not in shared}, drugs)


def gathered(findings: Sequence[Finding], library: CardLibrary, orders: Orders) -> tuple[Gathered, ...]:
    """Put the findings of active rules together, card by card: by severity, then rule priority, then place of the order."""
    shown = [finding for finding in findings if finding.rule.status is Status.ACTIVE]
    alarms = {_kind_key(finding) for finding in shown if finding.severity > Severity.INFO}
    groups: dict[Key, list[Finding]] = {}
    for index, finding in enumerate(shown):
        groups.setdefault(_card_key(finding, library, alarms, index), []).append(finding)
    in_order = [sorted(group, key=lambda finding: _rank(finding, orders)) for group in groups.values()]
    return tuple(Gathered(tuple(group), group[0].severity) for group in sorted(in_order, key=lambda group: _rank(group[0], orders)))


def parts(card: Gathered, library: CardLibrary, orders: Orders, words: Words) -> tuple[Part, ...]:
    """Cut a card into sections; each pair of ordered drug and exposure is told once, where it is strongest."""
    tellings = sorted(_tellings(card, orders, words), key=lambda telling: -telling.severity)
    told: dict[frozenset[str], Key] = {}
    sections: dict[Key, list[_Telling]] = {}
    for telling in tellings:
        if telling.exposure:
            pair = frozenset((telling.order_drug, telling.exposure.drug.casefold()))
            if told.setdefault(pair, telling.section) != telling.section:
                continue
        sections.setdefault(telling.section, []).append(telling)
    return tuple(_part(section, library) for section in sections.values())


def _name(record: MedicationRecord) -> str:
    return f"{record.resource_type}/{record.id}" if record.id else record.where


def _rank(finding: Finding, orders: Orders) -> tuple[int, int, int]:
    return -finding.severity, finding.rule.priority, orders.place(finding)


def _kind_key(finding: Finding) -> Key:
    return ("kind", finding.facts.order, finding.rule.kind)


def _card_key(finding: Finding, library: CardLibrary, alarms: set[Key], index: int) -> Key:
    """One card for a signing, for findings of one kind about an order, for the information about an order, or for itself."""
    together = library.card(finding.rule.card).gathered
    if together == "signing":
        return ("signing", finding.rule.card)
    if together == "order" and _kind_key(finding) in alarms:
        return _kind_key(finding)
    return ("info", finding.facts.order) if finding.severity is Severity.INFO else ("finding", str(index))


def _tellings(card: Gathered, orders: Orders, words: Words) -> Iterator[_Telling]:
    for finding in card.findings:
        own = name_of(finding.facts.facts.get("order.name"), words)
        record = orders.records.get(finding.facts.order)
        drug = record.drug.ingredient if record and isinstance(record.drug, DrugMatch) else own
        telling = _Telling(finding, finding.says, finding.severity, own, drug.casefold())
        if finding.matched:
            for match in finding.matched:
                yield replace(telling, says=match.says, severity=match.severity, exposure=_exposure(match, orders, words))
        else:
            yield telling


def _exposure(match: MatchedExposure, orders: Orders, words: Words) -> Named:
    named_so = name_of(match.item.get("name"), words)
    name = in_sentence(named_so) if "condition" in words_of(match.item, "source") else named_so
    drug = _drug(match.item, orders)
    return named(match, drug.ingredient if drug and drug.ingredient else name, name, words)


def _drug(item: Item, orders: Orders) -> DrugMatch | None:
    """Find the drug of an exposure by the places in the call that its facts rest on."""
    places = [place for name in ("drug", "name") if name in item for place in item[name].rests_on]
    found = (orders.drugs.get(place) or orders.drugs.get(place.rpartition(" ")[0]) for place in places)
    return next((drug for drug in found if drug), None)


def _part(tellings: Sequence[_Telling], library: CardLibrary) -> Part:
    first = tellings[0]
    exposures: dict[str, list[Named]] = {}
    for telling in tellings:
        if telling.exposure:
            exposures.setdefault(telling.exposure.drug.casefold(), []).append(telling.exposure)
    orders = tuple(dict.fromkeys(telling.order for telling in tellings))
    return Part(first.finding, library.card(first.finding.rule.card), first.says, orders, tuple(_once(same) for same in exposures.values()))


def _once(same: Sequence[Named]) -> Named:
    """Name a drug once for all its orders and fills: by its ingredient where their names differ, with the latest dose."""
    latest = min(same, key=lambda one: (not one.days_since.is_known, one.days_since.low))
    differ = len({one.name.casefold() for one in same}) > 1
    return replace(latest, name=latest.drug if differ else latest.name, is_certain=all(one.is_certain for one in same))
