"""Keeps the rules of one process up: sentinels at intervals, changed files taken over all or nothing, and what to say of readiness."""

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from cds_service.advisor import PackAdvisor
from cds_service.errors import CdsError, RulebookInvalid
from cds_service.live.advisor import LiveAdvisor
from cds_service.live.sentinels import Sentinel, breathe, disagreements
from cds_service.live.stamps import Stamps, stamps_of
from cds_service.metrics import Metrics
from cds_service.observe import log_pack, log_trouble
from cds_service.service import Pack
from cds_service.web.operations import PackInForce, Readiness

_FAULTS: Final = (CdsError, OSError, ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError, ValueError)
"""What half-written and broken files, and rules that cannot be evaluated, raise: the pack is refused, the service goes on."""
_MISSED: Final = 3
"""How many runs of the sentinels may be missed before the process no longer counts as ready."""
_MOST: Final = 10
"""Disagreements and problems that are told one by one."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """What was read from the folders of the settings at once, with the stamps that the files had before."""

    own: Pack
    by_site: Mapping[str, Pack]
    sentinels: tuple[Sentinel, ...]
    stamps: Stamps


@dataclass(frozen=True, slots=True)
class Rhythm:
    """How often files are looked at (0: never) and sentinels run (0: at the start and after a change alone), in seconds."""

    reload: float = 2.0
    sentinels: float = 300.0


@dataclass(frozen=True, slots=True)
class _Standing:
    """What is known of the packs in force, and of a newer one that was refused."""

    ran_at: float | None = None
    disagreeing: tuple[str, ...] = ()
    refused: tuple[str, ...] = ()


class Upkeep:
    """Looks after the packs of one advisor in a thread of its own."""

    def __init__(
        self, advisor: LiveAdvisor, loaded: Loaded, read: Callable[[], Loaded], places: Iterable[Path], rhythm: Rhythm, metrics: Metrics
    ) -> None:
        """`loaded` is what `advisor` advises by, `read` reads it anew from `places`; nothing runs before `start`."""
        self._advisor = advisor
        self._loaded = loaded
        self._read = read
        self._places = tuple(places)
        self._rhythm = rhythm
        self._metrics = metrics
        self._standing = _Standing()
        self._seen: Stamps | None = None
        """Changed stamps of the last look: files are read when they have been still from one look to the next."""
        self._turned_down: Stamps | None = None

    def start(self) -> None:
        """Take over what changed since the files were read, and go on in a thread; to be called once in each process."""
        self._tell_packs(self._advisor.packs(), in_force=True)
        now = stamps_of(self._places) if self._rhythm.reload else self._loaded.stamps
        if now != self._loaded.stamps:
            self._reload(now)
        threading.Thread(target=self._run, name="upkeep", daemon=True).start()

    def readiness(self) -> Readiness:
        """Say whether this process gives the answers that are expected of its rules."""
        standing, reasons = self._standing, []
        if standing.ran_at is None:
            reasons.append("the sentinels have not run yet")
        elif self._rhythm.sentinels and time.monotonic() - standing.ran_at > _MISSED * self._rhythm.sentinels + 60:
            reasons.append("the sentinels no longer run")
        reasons += standing.disagreeing
        packs = [PackInForce(site, pack.rulebook.manifest.version, pack.rulebook.hash) for site, pack in self._advisor.packs().items()]
        return Readiness(tuple(reasons), tuple(packs), standing.refused)

    def look(self) -> None:
        """Look at the files once, and take over those that have changed and are still."""
        now = stamps_of(self._places)
        if now == self._loaded.stamps:
            self._seen = self._turned_down = None
            self._stand(refused=())
        elif now == self._turned_down:
            self._seen = None
        elif now != self._seen:
            self._seen = now
        else:
            self._seen = None
            self._reload(now)

    def check(self) -> None:
        """Run the sentinels by the packs in force."""
        before = self._standing.disagreeing
        told = self._disagreements(self._advisor.now, self._loaded.sentinels, breathe)
        self._metrics.sentinels(len(told))
        self._stand(ran_at=time.monotonic(), disagreeing=_first(told))
        if told and _first(told) != before:
            for one in _first(told):
                log_trouble("sentinels", one)
        if before and not told:
            log_trouble("sentinels", "all answers are as expected again")

    def _run(self) -> None:
        self.check()
        while True:
            time.sleep(self._rhythm.reload or 1.0)
            if self._rhythm.reload:
                self.look()
            ran_at = self._standing.ran_at or 0.0
            if self._rhythm.sentinels and time.monotonic() - ran_at >= self._rhythm.sentinels:
                self.check()

    def _reload(self, stamps: Stamps) -> None:
        """Read the files, and put them in force if nothing is wrong with them; else go on with what there is."""
        try:
            loaded = self._read()
            if loaded.stamps != stamps or stamps_of(self._places) != stamps:
                return  # still being written: the next looks will see
            candidate = self._advisor.with_packs(loaded.own, loaded.by_site)
            wrong = [*_problems(loaded), *self._disagreements(candidate, loaded.sentinels)]
        except RulebookInvalid as error:
            wrong = [str(problem) for problem in error.problems]
        except _FAULTS as error:
            wrong = [f"files that cannot be used ({type(error).__name__})"]
        if wrong:
            self._refuse(stamps, wrong)
        else:
            self._take(candidate, loaded)

    def _refuse(self, stamps: Stamps, wrong: list[str]) -> None:
        self._turned_down = stamps
        self._metrics.reload("refused")
        self._stand(refused=_first(wrong))
        for one in _first(wrong):
            log_trouble("rules", f"changed files were refused, the rules before stay in force: {one}")

    def _take(self, candidate: PackAdvisor, loaded: Loaded) -> None:
        self._tell_packs(self._advisor.packs(), in_force=False)
        self._advisor.take(candidate)
        self._loaded, self._turned_down = loaded, None
        self._tell_packs(self._advisor.packs(), in_force=True)
        self._metrics.reload("taken")
        self._metrics.sentinels(0)
        self._stand(ran_at=time.monotonic(), disagreeing=(), refused=())

    def _disagreements(self, advisor: PackAdvisor, sentinels: tuple[Sentinel, ...], rest: Callable[[], None] = lambda: None) -> list[str]:
        """Run the sentinels by the packs of every site."""
        told: list[str] = []
        for site in ("", *advisor.site_packs):
            try:
                found = disagreements(sentinels, advisor, site, rest)
            except _FAULTS as error:
                found = (f"the rules cannot be evaluated ({type(error).__name__})",)
            told += [f"site '{site}': {one}" if site else one for one in found]
        return told

    def _stand(self, **changes: object) -> None:
        """Note a change, and tell the metrics how the process stands."""
        self._standing = replace(self._standing, **changes)  # type: ignore[arg-type]
        self._metrics.standing(is_ready=not self.readiness().reasons, is_refusing=bool(self._standing.refused))

    def _tell_packs(self, packs: Mapping[str, Pack], *, in_force: bool) -> None:
        for site, pack in packs.items():
            self._metrics.pack(site, pack.rulebook.manifest.version, pack.rulebook.hash, in_force=in_force)
            if in_force:
                log_pack(site, pack.rulebook.manifest.version, pack.rulebook.hash)


def _problems(loaded: Loaded) -> list[str]:
    """Say what keeps active rules from being active, as `cds-service check` does."""
    return [str(problem) for pack in (loaded.own, *loaded.by_site.values()) for problem in pack.rulebook.problems()]


def _first(told: Iterable[str]) -> tuple[str, ...]:
    """Keep the first of what is told, and the number of the rest."""
    everything = list(dict.fromkeys(told))
    more = len(everything) - _MOST
    return (*everything[:_MOST], *([f"and {more} more"] if more > 0 else []))
