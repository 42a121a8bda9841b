"""What an EHR can take: no card promises more."""

from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal

ProfileName = Literal["standard", "epic", "sandbox"]


@dataclass(frozen=True, slots=True)
class Profile:
    """Abilities of a client (INTEROP.md, sections 3 and 4)."""

    selection: Literal["at-most-one", "any"] = "at-most-one"
    takes_updates: bool = True
    takes_extension: bool = True
    joins_actions: bool = True
    """A suggestion may hold several actions."""
    applies_product_alone: bool = False
    """Of an update only medicationCodeableConcept (text and first coding) takes effect: neither dose nor reason does."""


PROFILES: Final = MappingProxyType(
    {
        "standard": Profile(),
        "epic": Profile(selection="any", takes_updates=False, takes_extension=False, joins_actions=False),
        "sandbox": Profile(applies_product_alone=True),
    },
)


def profile_named(name: str) -> Profile:
    """Return the profile of that name; a name that is not known is served as standard."""
    return PROFILES.get(name, PROFILES["standard"])
