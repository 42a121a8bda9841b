"""The advisor whose packs can be exchanged while calls are answered."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import date, datetime, tzinfo
from typing import Any

from cds_service.advisor import ANYBODY, PackAdvisor
from cds_service.hooks.call import HookCall
from cds_service.hooks.discovery import ServiceDescription
from cds_service.service import ClientWishes, Decision, Pack


class LiveAdvisor:
    """Answers each call by the packs in force when it came: an exchange is one assignment, and no call sees two packs."""

    def __init__(self, first: PackAdvisor) -> None:
        """Begin with the packs of `first`."""
        self._now = (first, first.services())

    @property
    def now(self) -> PackAdvisor:
        """The advisor of the packs in force."""
        return self._now[0]

    @property
    def pack(self) -> Pack:
        """The pack in force for the site of the settings."""
        return self.now.pack

    @property
    def zone(self) -> tzinfo:
        """The time zone of the site of the settings."""
        return self.now.zone

    def clock(self) -> datetime:
        """Return the present moment."""
        return self.now.clock()

    def packs(self) -> dict[str, Pack]:
        """Return every pack in force by its site, that of the settings' own site under the empty name."""
        return {"": self.now.pack, **self.now.site_packs}

    def today(self) -> date:
        """Return the day at the site of the settings."""
        return self.now.today()

    def services(self) -> tuple[ServiceDescription, ...]:
        """Return the services on offer."""
        return self._now[1]

    def advise(self, call: HookCall, client: ClientWishes) -> Mapping[str, Any]:
        """Answer one call as its client wishes."""
        return self.now.advise(call, client)

    def explain(self, call: HookCall, client: ClientWishes = ANYBODY) -> Decision:
        """Decide one call with the trace of every rule, for somebody who asks why."""
        return self.now.explain(call, client)

    def with_packs(self, pack: Pack, site_packs: Mapping[str, Pack]) -> PackAdvisor:
        """Return an advisor as the present one with other packs, not in force yet."""
        return replace(self.now, pack=pack, site_packs=site_packs)

    def take(self, advisor: PackAdvisor) -> None:
        """Put an advisor in force for all calls that come from now on."""
        self._now = (advisor, advisor.services())
