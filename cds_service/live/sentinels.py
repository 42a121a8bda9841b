"""Sentinels: synthetic calls whose answers are known, run inside the live service to notice when one changes.

They stand beside the rules (`rules/sentinels`): `rules.json` has a call for each rule, `drugs.csv` a code for each drug, which
the call that it names takes in. What is expected is written there by hand and is computed by nothing.
"""

import csv
import json
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any, Final, Literal

from cds_service.advisor import PackAdvisor, no_record
from cds_service.errors import Location, Problem, RequestRefused, RulebookInvalid
from cds_service.hooks.parse import read_call
from cds_service.rulebook.types import Status
from cds_service.service import ClientWishes, Decision, Pack

FOLDER: Final = "sentinels"
QUIET: Final = "quiet"
_EXPECTED: Final = frozenset([QUIET, "info", "warning", "critical"])
_DAY: Final = re.compile(r"\{today(?:-(\d{1,5}))?\}")
_HOOKS: Final = ("order-select", "order-sign")

Hook = Literal["order-select", "order-sign"]


@dataclass(frozen=True, slots=True)
class Sentinel:
    """One call with `{today-3}` in the place of days, and what a rule makes of it: a severity, or "quiet"."""

    name: str
    rule: str
    expect: str
    hook: Hook
    text: str

    def body(self, today: date) -> bytes:
        """Return the call as an EHR would send it today."""
        return _DAY.sub(lambda day: (today - timedelta(int(day[1] or 0))).isoformat(), self.text).encode()


def read_sentinels(rules_dir: Path) -> tuple[Sentinel, ...]:
    """Read the sentinels beside the rules, none where there are none; raises RulebookInvalid, OSError."""
    folder = rules_dir / FOLDER
    try:
        rules = [*_rules(folder / "rules.json")] if (folder / "rules.json").is_file() else []
        drugs = [*_drugs(folder)] if (folder / "drugs.csv").is_file() else []
    except (ValueError, KeyError, TypeError, UnicodeDecodeError):
        raise _broken(f"rules/{FOLDER}", "files that are no sentinels; docs/operations.md says what they hold") from None
    found = (*rules, *drugs)
    for one in found:
        if one.expect not in _EXPECTED or one.hook not in _HOOKS:
            raise _broken(
                f"rules/{FOLDER}", f"sentinel '{one.name}' expects '{one.expect}' at '{one.hook}'; a severity or 'quiet', and a hook"
            )
    return found


def disagreements(
    sentinels: tuple[Sentinel, ...], advisor: PackAdvisor, site: str = "", rest: Callable[[], None] = lambda: None
) -> tuple[str, ...]:
    """Run sentinels by the packs of an advisor, and say for each that gives another answer what it gives.

    The whole way of a call is gone, but nothing is read beside it and nothing recorded; `rest` is called after each.
    Rules that a site has changed are not asked: what they say there is the site's own.
    """
    quiet = replace(advisor, record=no_record, reads=None, overrides=None, refuses_without_data=False)
    pack = quiet.site_packs[site] if site else quiet.pack
    today = advisor.clock().astimezone(advisor.zone).date()
    told = []
    for one in sentinels:
        given = _given(one, quiet, pack, site, today)
        if given not in (one.expect, None):
            told.append(f"{one.name}: {one.rule} gives {given}, not {one.expect}")
        rest()
    return tuple(told)


def breathe() -> None:
    """Let calls have the processor between two sentinels."""
    time.sleep(0.005)


def _given(one: Sentinel, advisor: PackAdvisor, pack: Pack, site: str, today: date) -> str | None:
    """Return what the rule of a sentinel gives; None where the site has made the rule its own."""
    shipped = pack.rulebook.as_shipped.get(one.rule)
    in_force = next((rule for rule in pack.rulebook.rules if rule.id == one.rule), None)
    if shipped is None or in_force is None:
        return "no such rule"
    if in_force.site_override:
        return None
    try:
        decision = advisor.decide(read_call(one.body(today), one.hook), ClientWishes(site=site))
    except RequestRefused as refused:
        return refused.code
    return _told(one.rule, decision, is_shown=in_force.status is Status.ACTIVE)


def _told(rule: str, decision: Decision, *, is_shown: bool) -> str:
    """Return the strongest severity that a rule gives on the cards; that of a silent rule by its findings alone."""
    told_by = [finding for grounds in decision.grounds for finding in grounds] if is_shown else [one.finding for one in decision.outcomes]
    found = [finding.severity for finding in told_by if finding and finding.rule.id == rule]
    if found:
        return max(found).word
    states = {outcome.state for outcome in decision.outcomes if outcome.rule.id == rule} - {"quiet"}
    return " ".join(sorted(states)) or QUIET


def _rules(path: Path) -> Iterator[Sentinel]:
    for entry in json.loads(path.read_text(encoding="utf-8")):
        call: dict[str, Any] = entry["call"]
        yield Sentinel(entry["name"], entry["rule"], entry["expect"], call["hook"], json.dumps(call))


def _drugs(folder: Path) -> Iterator[Sentinel]:
    calls = {path.stem: path.read_text(encoding="utf-8") for path in folder.glob("*-drug.json")}
    hooks = {name: json.loads(text)["hook"] for name, text in calls.items()}
    with (folder / "drugs.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            text = calls[row["call"]].replace("{system}", row["system"]).replace("{code}", row["code"])
            yield Sentinel(f"{row['drug']} by code {row['code']}", row["rule"], row["expect"], hooks[row["call"]], text)


def _broken(file: str, message: str) -> RulebookInvalid:
    return RulebookInvalid([Problem(Location(file, 1, 1), "RULE-070", f"found {message}")])
