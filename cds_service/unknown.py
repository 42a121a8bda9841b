"""Floor 1: the value that stands for what could not be read or worked out."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Unknown:
    """A fact that has no value, and why: never `None`, 0 or an empty list.

    `reason` is a stable kebab-case code ("no-dose", "no-strength", "text-only"); it holds no patient data.
    `missing` names the kind of data ("medications", "conditions", "patient") whose absence is the cause, or is
    empty where the data was there and one attribute of it could not be read.
    """

    reason: str
    missing: str = ""
