"""Floor 4: what a site may change: the status of a rule, and its thresholds as far as the rule lets it."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import PurePosixPath
from types import MappingProxyType
from typing import Final

from cds_service.errors import Location, nearest
from cds_service.located import Block, Entry
from cds_service.quantities import Quantity, QuantityRange, in_unit
from cds_service.rulebook.operators import quantity_text
from cds_service.rulebook.reading import Reader
from cds_service.rulebook.types import Rule, Status, Threshold

OVERRIDE_KEYS: Final = ("status", "thresholds", "why")


def read_site(text: str, file: str, rules: Mapping[str, Rule | None], reader: Reader) -> dict[str, Rule]:
    """Return the rules that a site changes, as changed; everything it may not do is noted as a problem.

    A rule that could not be read itself stands in `rules` as `None`.
    """
    block = reader.file(text, file)
    if block is None:
        return {}
    reader.keys(block, "a site", ("site", "rules"))
    reader.id(block, "site", PurePosixPath(file).stem)
    overrides = reader.block(block.get("rules"), "'rules'")
    changed = (_Override(reader).of(entry, rules) for entry in overrides or () if _is_known(entry, rules, reader))
    return {rule.id: rule for rule in changed if rule}


def _is_known(entry: Entry, rules: Mapping[str, Rule | None], reader: Reader) -> bool:
    if entry.key not in rules:
        reader.refuse(entry.where, "RULE-040", f"no rule '{entry.key}'{nearest(entry.key, rules)}")
    return entry.key in rules


@dataclass(frozen=True, slots=True)
class _Override:
    """Applies what a site file says of one rule."""

    reader: Reader

    def of(self, entry: Entry, rules: Mapping[str, Rule | None]) -> Rule | None:
        block = self.reader.block(entry.value, "an override")
        rule = rules[entry.key]
        return self._changed(rule, block) if block and rule else None

    def _changed(self, rule: Rule, block: Block) -> Rule:
        self.reader.keys(block, "an override", (), OVERRIDE_KEYS)
        self.reader.text(block, "why")
        status = self.reader.word(block.get("status"), "status", tuple(Status))
        moved = self._moved(rule, block)
        names = [*(["status"] if status else []), *(f"thresholds.{name}" for name in moved)]
        return replace(
            rule,
            status=Status(status) if status else rule.status,
            thresholds=MappingProxyType({**rule.thresholds, **moved}),
            site_override=", ".join(names),
        )

    def _moved(self, rule: Rule, block: Block) -> dict[str, Threshold]:
        thresholds = self.reader.block(block.get("thresholds"), "'thresholds'")
        read = (self._threshold(entry, rule) for entry in thresholds or ())
        return {threshold.name: threshold for threshold in read if threshold}

    def _threshold(self, entry: Entry, rule: Rule) -> Threshold | None:
        threshold = rule.thresholds.get(entry.key)
        if threshold is None:
            hint = nearest(entry.key, rule.thresholds)
            self.reader.refuse(entry.where, "RULE-040", f"rule '{rule.id}' has no threshold '{entry.key}'{hint}")
            return None
        quantity = self.reader.quantity(entry.value, f"'{entry.key}'")
        return self._within(threshold, quantity, entry.value.where) if quantity else None

    def _within(self, threshold: Threshold, quantity: Quantity, where: Location) -> Threshold | None:
        value = in_unit(quantity, threshold.unit)
        if value is None:
            self.reader.refuse(where, "RULE-016", f"'{quantity.unit}' cannot be converted to '{threshold.unit}'")
            return None
        if not _may(threshold, value):
            allowed = "not move" if threshold.site_may == "nothing" else f"only {threshold.site_may}"
            message = f"'{threshold.name}' is {_span(threshold)}, and a site may {allowed} it; found {quantity_text(quantity)}"
            self.reader.refuse(where, "RULE-041", message)
            return None
        return replace(threshold, in_force=((threshold.in_force[0][0], value),))


def _may(threshold: Threshold, value: Decimal) -> bool:
    """Tell whether a value lies beyond every value in force, now or later, on the side that the rule lets a site move to."""
    values = [number for _, number in threshold.in_force]
    return (threshold.site_may == "raise" and value >= max(values)) or (threshold.site_may == "lower" and value <= min(values))


def _span(threshold: Threshold) -> str:
    values = [number for _, number in threshold.in_force]
    return str(QuantityRange(min(values), max(values), threshold.unit))
