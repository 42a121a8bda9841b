"""Hands each decision that was given as advice to the writer, with the occasion it was given on."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from cds_service.hooks.call import HookCall
from cds_service.service import Decision
from cds_service.store.decisions import Occasion, decision_rows
from cds_service.store.writer import DecisionWriter


@dataclass(frozen=True, slots=True)
class Caller:
    """Who made the present call, by names of the service's own configuration, and which service it is for."""

    client: str = ""
    site: str = ""
    service: str = ""


@dataclass(frozen=True, slots=True)
class Recorder:
    """Records decisions: `key` is the installation's, `caller` tells of the present call, `with_user` keeps who asked.

    `override_lasts` is how long an override of what was shown is respected.
    """

    writer: DecisionWriter
    key: bytes
    caller: Callable[[], Caller]
    with_user: bool = True
    override_lasts: timedelta = timedelta()

    def __call__(self, decision: Decision, call: HookCall, made_at: datetime, ms: float) -> None:
        """Queue one decision."""
        caller = self.caller()
        occasion = Occasion(made_at, round(ms, 2), caller.client, caller.site, caller.service, self.override_lasts)
        self.writer.put(decision_rows(decision, call, occasion, self.key, with_user=self.with_user))
