"""Floor 3: the closed list of reasons why a fact about dose or timing is unknown, in plain words for a card or a trace."""

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final

from cds_service.unknown import Unknown

REASONS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "unreadable-order": "the order is in a form that could not be read",
        "unreadable-dosage": "a dosage instruction could not be read",
        "unclear-sequence": "it is not clear whether the dosage instructions follow each other or hold together",
        "contradictory-dose": "the order states doses that contradict each other",
        "contradictory-timing": "the order states timings that contradict each other",
        "unreadable-dose": "the dose could not be read",
        "unreadable-timing": "the timing could not be read",
        "no-dosage": "the order has no dosage instruction",
        "text-only": "the dose is given only as text",
        "no-dose": "the order states no dose",
        "no-unit": "the dose has no unit",
        "unreadable-unit": "the unit of the dose is not known",
        "no-strength": "the strength of one unit of the product is not known",
        "no-concentration": "the concentration of the liquid is not known",
        "as-needed-without-limit": "the dose is taken as needed and no limit is given",
        "timing-in-text": "how often the dose is taken is given only as text",
        "no-timing": "the order does not say how often the dose is taken",
        "depot": "a depot is not counted as a dose a day",
        "liquid-product": "the product is a liquid and has no counted unit",
        "no-steps": "the order has one dose and no steps",
        "no-increase": "the dose does not rise within the order",
        "no-length": "the order does not say how long a step lasts",
        "time-of-day-in-text": "the time of day, if there is one, is given only as text",
        "no-time-of-day": "the order gives no time of day",
        "vague-time-of-day": "the time of day could mean more than one thing",
        "partly-as-needed": "part of the dose is taken as needed and part regularly",
        "unreadable-as-needed": "whether the dose is taken as needed could not be read",
        "no-route": "the route is not given",
        "unreadable-route": "the route could not be read",
    },
)
"""Reason code → what a card may say after "because"; the order here decides which of several reasons is told."""

_RANK: Final = MappingProxyType({reason: rank for rank, reason in enumerate(REASONS)})


def told(unknowns: Iterable[Unknown]) -> Unknown:
    """Pick the one of several unknowns that is told, whatever order they come in."""
    return min(unknowns, key=lambda unknown: _RANK[unknown.reason])


def unknowns_in(values: Iterable[object]) -> tuple[Unknown, ...]:
    """Return those of some values that are unknown."""
    return tuple(value for value in values if isinstance(value, Unknown))
