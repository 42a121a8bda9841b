"""Floor 8: `cds-service doctor URL`: what would an EHR stumble over?"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import click

from cds_service.cli.call import recorded_request
from cds_service.cli.played_client import http_address, plays_a_client, signer_of
from cds_service.doctor.examination import Wish, examine
from cds_service.doctor.port import Ehr, Finding, no_token, printable
from cds_service.doctor.wire import Wire

_SANDBOX: Final = "https://sandbox.cds-hooks.org"
_MARKS: Final = {"ok": "ok      ", "note": "note    ", "problem": "PROBLEM "}
FOUND: Final = 1
"""Exit status where an EHR would stumble."""


@click.command()
@click.argument("url", callback=http_address)
@click.option("--fixture", default="sandbox-order-sign", show_default=True, help="Order to sign: name of a shipped request, or a file.")
@click.option("--origin", default=None, help=f"Browser page that must be able to call, e.g. {_SANDBOX}.")
@click.option("--no-feedback", is_flag=True, help="Leave no feedback behind in the service.")
@plays_a_client
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
def doctor(url: str, fixture: str, origin: str | None, *, no_feedback: bool, as_json: bool, ca_file: Path | None, **client: Any) -> None:  # noqa: ANN401 - of several types
    """Play the EHR against the CDS Hooks service at URL, and say what an EHR would stumble over.

    Sends a made-up patient's order, and (unless --no-feedback) one override for each service. Exit code 0: no problem; 1: a problem.
    """
    ehr = Ehr(Wire(str(ca_file) if ca_file else None), signer_of(**client) or no_token, origin or _SANDBOX)
    wish = Wish(is_browser_needed=origin is not None, with_feedback=not no_feedback)
    findings = _told(examine(ehr, url, recorded_request(fixture), wish), silently=as_json)
    problems = sum(finding.level == "problem" for finding in findings)
    if as_json:
        click.echo(json.dumps({"url": url, "problems": problems, "findings": [asdict(one) for one in findings]}, indent=1))
    else:
        click.echo("Nothing found that an EHR would stumble over." if not problems else f"{problems} found that an EHR would stumble over.")
    if problems:
        raise SystemExit(FOUND)


def _told(findings: Iterable[Finding], *, silently: bool) -> list[Finding]:
    """Print each finding when it is made, and return them all."""
    return list(findings if silently else _printing(findings))


def _printing(findings: Iterable[Finding]) -> Iterator[Finding]:
    for finding in findings:
        took = "" if finding.ms is None else f" ({finding.ms:.0f} ms)"
        click.echo(printable(f"{_MARKS[finding.level]}{finding.check}: {finding.says}{took}"))
        yield finding
