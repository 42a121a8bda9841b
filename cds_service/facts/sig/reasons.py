"""Floor 3: the closed list of reasons why a dosing text is not read, in plain words for a card or a trace."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, Literal

Reason = Literal[
    "sig-too-long",
    "sig-empty",
    "sig-unread-words",
    "sig-unreadable-unit",
    "sig-as-directed",
    "sig-contradictory",
    "sig-open-ended",
    "sig-ambiguous",
    "sig-no-dose",
]

REASONS: Final[Mapping[Reason, str]] = MappingProxyType(
    {
        "sig-too-long": "the dosing text is too long to be read",
        "sig-empty": "the dosing text is empty",
        "sig-unread-words": "the dosing text holds words that are not understood and could change the dose",
        "sig-unreadable-unit": "the dosing text gives the dose in a unit that cannot be turned into milligrams",
        "sig-as-directed": "the dosing text leaves the dose to directions given elsewhere",
        "sig-contradictory": "the dosing text contradicts itself",
        "sig-open-ended": "the dosing text raises or lowers the dose without saying how far or how fast",
        "sig-ambiguous": "the dosing text can mean more than one thing",
        "sig-no-dose": "the dosing text states neither a dose nor how often it is taken",
    },
)
"""Reason code → what a card may say after "because"."""


class Refused(Exception):
    """Unwinds the reading of one text, inside this package only: `read_sig` turns it into an Unknown."""

    def __init__(self, reason: Reason) -> None:
        """Keep the reason; the text itself is patient data and stays out of the exception."""
        self.reason: Reason = reason
        super().__init__()
