"""Floor 8: `cds-service diff OLD NEW`: whose answers change between two versions of the rules, before they go live."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import click

from cds_service.advisor import PackAdvisor
from cds_service.app import site_files_of, wishes_of
from cds_service.cli.call import shipped_requests
from cds_service.errors import RequestRefused
from cds_service.hooks.parse import read_call
from cds_service.live.sentinels import Sentinel, read_sentinels
from cds_service.pack import read_pack
from cds_service.rulebook.cases import Case
from cds_service.rulebook.running import run_cases
from cds_service.rulebook.types import Outcome
from cds_service.service import Decision, Pack
from cds_service.settings import Settings, read_settings

CHANGED: Final = 1
"""Exit status where an answer changes."""
_FOLDER: Final = click.Path(exists=True, file_okay=False, path_type=Path)
_NO_CARD: Final = "no card"


@dataclass(frozen=True, slots=True)
class Change:
    """One case or call whose answer is another one by the new rules."""

    about: str
    before: tuple[str, ...]
    after: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Version:
    """One version of the rules, ready to answer."""

    pack: Pack
    advisor: PackAdvisor
    sentinels: tuple[Sentinel, ...]


@click.command()
@click.argument("old", type=_FOLDER)
@click.argument("new", type=_FOLDER)
@click.option("--calls", type=_FOLDER, help="Folder with more requests (*.json) of your own to compare by.")
@click.option("--site", default="", help="Compare as this site has the rules in force.")
@click.option("--today", type=click.DateTime(["%Y-%m-%d"]), default=None, help="The day to judge by; today by default.")
@click.option("--json", "as_json", is_flag=True, help="Print the changes as JSON.")
def diff(old: Path, new: Path, calls: Path | None, site: str, today: datetime | None, *, as_json: bool) -> None:
    """Run case files, sentinels and recorded requests by the rules of two folders, and tell whose answers change.

    OLD and NEW are folders that hold `rules` and `cards`. Exit code 0: every answer stays; 1: some change; 2: rules that cannot be loaded.
    """
    settings = read_settings()
    now = today.replace(hour=12, tzinfo=settings.zone) if today else datetime.now(UTC)
    before, after = (_version(folder, site, settings, now) for folder in (old, new))
    requests = {path.stem: path.read_bytes() for folder in (shipped_requests(), calls) if folder for path in sorted(folder.glob("*.json"))}
    asked = [*_cases(before.pack, after.pack), *_calls(before, after, requests, now)]
    changes = [change for change in asked if change.before != change.after]
    if as_json:
        told = {"asked": len(asked), "changes": [asdict(change) for change in changes]}
        click.echo(json.dumps(told, indent=2, ensure_ascii=False))
    else:
        for change in changes:
            click.echo("\n".join(_lines(change)))
        click.echo(f"{len(changes)} of {len(asked)} answers change.")
    if changes:
        raise SystemExit(CHANGED)


def _version(folder: Path, site: str, settings: Settings, now: datetime) -> Version:
    pack = read_pack(folder / "rules", folder / "cards", site, site_files_of(settings))
    return Version(pack, PackAdvisor(pack, settings.zone, wishes_of(settings), lambda: now), read_sentinels(folder / "rules"))


def _cases(before: Pack, after: Pack) -> Iterator[Change]:
    """Put the cases of both versions to the rules of both; of a case that both have, the newer facts count."""
    for rule in sorted(before.rulebook.cases.keys() | after.rulebook.cases.keys()):
        cases = {case.name: case for pack in (before, after) for case in pack.rulebook.cases.get(rule, ())}
        for case in cases.values():
            yield Change(f"{rule}, case '{case.name}'", _by_rule(before, case), _by_rule(after, case))


def _by_rule(pack: Pack, case: Case) -> tuple[str, ...]:
    rule = pack.rulebook.as_shipped.get(case.rule)
    return (_in_words(run_cases(rule, (case,))[0].outcome),) if rule else ("there is no such rule",)


def _in_words(outcome: Outcome) -> str:
    """Say what a rule makes of a case."""
    if outcome.finding:
        return f"{outcome.finding.severity.word}{f' ({outcome.finding.says})' if outcome.finding.says else ''}"
    words = {"quiet": "says nothing", "held": "says nothing, because something is unknown", "incomplete": "could not be checked"}
    lacks = f": lacks {', '.join(outcome.lacks)}" if outcome.lacks else ""
    return words[outcome.state] + lacks


def _calls(before: Version, after: Version, requests: Mapping[str, bytes], now: datetime) -> Iterator[Change]:
    """Put sentinels and recorded requests to both versions, the whole way from the request to the cards."""
    today = now.astimezone(before.advisor.zone).date()
    bodies = {f"sentinel '{one.name}'": one.body(today) for one in (*before.sentinels, *after.sentinels)}
    for about, body in (bodies | {f"request '{name}'": body for name, body in requests.items()}).items():
        yield Change(about, _answer(before.advisor, body), _answer(after.advisor, body))


def _answer(advisor: PackAdvisor, body: bytes) -> tuple[str, ...]:
    try:
        return _cards(advisor.decide(read_call(body, json.loads(body)["hook"])))
    except (RequestRefused, ValueError, KeyError, TypeError):
        return ("the request cannot be read",)


def _cards(decision: Decision) -> tuple[str, ...]:
    """Write the cards so that a change of their words shows too."""
    written = (f"[{card.indicator}] {card.summary}\n{card.detail}" for card in decision.cards)
    return tuple(text.replace(decision.id, "") for text in written) or (_NO_CARD,)


def _lines(change: Change) -> Iterator[str]:
    """Tell a change: heads of cards alone where they differ, else the lines of text that do."""
    before, after = (tuple(text.split("\n")[0] for text in side) for side in (change.before, change.after))
    if before == after:
        texts = [[line for text in side for line in text.split("\n")] for side in (change.before, change.after)]
        before, after = (tuple(line for line in mine if line not in other) for mine, other in (texts, texts[::-1]))
    yield change.about
    for word, side in (("before", before), ("after", after)):
        yield from (f"  {word + ':':<8}{line}" for line in side or ("(nothing else)",))
    yield ""
