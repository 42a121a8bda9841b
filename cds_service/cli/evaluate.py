"""Floor 8: `cds-service evaluate REQUEST.json`: what the service would answer, and why, line by line."""

import json
from collections.abc import Collection
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import click

from cds_service.advisor import PackAdvisor, answer_of
from cds_service.app import site_files_of, wishes_of
from cds_service.errors import RequestRefused
from cds_service.hooks.json_text import json_text
from cds_service.hooks.parse import read_call
from cds_service.pack import read_pack
from cds_service.rulebook.types import Outcome, TraceLine
from cds_service.service import Decision
from cds_service.settings import read_settings

EVERY: Final = ("fired", "quiet", "held", "incomplete")
_FILE: Final = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command()
@click.argument("request_file", metavar="REQUEST.json", type=_FILE)
@click.option("--explain", is_flag=True, help="Print every rule with its trace, each line with the resource that it rests on.")
@click.option("--today", type=click.DateTime(["%Y-%m-%d"]), default=None, help="The day to judge by; today by default.")
@click.option("--json", "as_json", is_flag=True, help="Print the answer exactly as the service sends it.")
def evaluate(request_file: Path, today: datetime | None, *, explain: bool, as_json: bool) -> None:
    """Answer one request from a file, without a server: the cards, and with --explain the reasons."""
    settings = read_settings()
    pack = read_pack(settings.rules_dir, settings.cards_dir, settings.site, site_files_of(settings))
    now = today.replace(hour=12, tzinfo=settings.zone) if today else datetime.now(UTC)
    advisor = PackAdvisor(pack, settings.zone, wishes_of(settings, with_trace=explain), lambda: now)
    body = request_file.read_bytes()
    decision = advisor.decide(read_call(body, _hook_of(body)))
    click.echo(json_text(answer_of(decision)) if as_json else "\n".join([*_cards(decision), *(report(decision) if explain else ())]))


def _hook_of(body: bytes) -> Any:  # noqa: ANN401 - whatever the request names; read_call judges it
    """Take the request's own hook as that of the service called."""
    try:
        request = json.loads(body)
    except ValueError:
        request = None
    hook = request.get("hook") if isinstance(request, dict) else None
    if hook not in ("order-sign", "order-select"):
        raise RequestRefused("REQ-101", "no hook that this program answers", "order-sign or order-select in the member 'hook'")
    return hook


def _cards(decision: Decision) -> list[str]:
    if not decision.cards:
        return ["No card: no rule has anything to say about what was read."]
    return [f"[{card.indicator}] {card.summary}\n\n{card.detail}\n" for card in decision.cards]


def report(decision: Decision, states: Collection[str] = EVERY) -> list[str]:
    """Tell what data was there and how each rule came to its answer; `states` keeps the outcomes worth telling."""
    completeness = ", ".join(f"{kind.value} {state.value}" for kind, state in sorted(decision.completeness.items())) or "nothing was needed"
    told = [outcome for outcome in decision.outcomes if outcome.state in states]
    return [f"Data: {completeness}", "", *(line for outcome in told for line in _outcome(outcome))]


def _outcome(outcome: Outcome) -> list[str]:
    finding = outcome.finding
    fired = f": {finding.severity.word}{f', says {finding.says}' if finding.says else ''}" if finding else ""
    lacks = f" (lacks {', '.join(outcome.lacks)})" if outcome.lacks else ""
    head = f"{outcome.rule.id} v{outcome.rule.version} for {outcome.order}: {outcome.state}{fired}{lacks}"
    return [head, *(_line(line) for line in outcome.trace), ""]


def _line(line: TraceLine) -> str:
    rests_on = f"   <- {'; '.join(line.rests_on)}" if line.rests_on else ""
    return f"  {'  ' * line.depth}{line.answer:<7} {line.asked}: {line.found}{rests_on}"
