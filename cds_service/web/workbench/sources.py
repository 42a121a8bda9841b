"""Floor 7: what the pages of the workbench ask of the rest of the program, as functions that `app.py` hands in."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date

from cds_service.hooks.call import HookCall
from cds_service.service import ClientWishes, Decision, Pack
from cds_service.web.workbench.use_source import UseSource

Explain = Callable[[HookCall, ClientWishes], Decision]
"""Decides one call with the trace of every rule, reads nothing but what the call holds, and records nothing."""


@dataclass(frozen=True, slots=True)
class Sources:
    """Where the pages get what they show; each is asked anew for each page, so that a reload of the rules is seen."""

    pack: Callable[[], Pack]
    """The rules, cards and tables in force for the site of the settings."""
    explain: Explain
    today: Callable[[], date]
    """The day at the site of the settings."""
    changes: Callable[[], str]
    """The change log that lies beside the folder of rules; empty where there is none."""
    use: UseSource | None = None
    """Counts what was advised and what became of it; None where there is no store."""
    find_decision: Callable[[str], object | None] | None = None
    """Finds a stored decision by its id (a `store.lookup.StoredDecision`; StoreUnavailable); None where there is no store."""
