"""Floor 3: dosing texts ("1 cap qhs x 2 wk, then 2 caps") read into the elements that structured orders have, or refused."""

from cds_service.facts.sig.reading import LONGEST_TEXT, SigReading, read_sig
from cds_service.facts.sig.reasons import REASONS

__all__ = ["LONGEST_TEXT", "REASONS", "SigReading", "read_sig"]
