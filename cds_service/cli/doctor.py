"""Floor 8: `cds-service doctor URL`: what would an EHR stumble over?"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import click

from cds_service.cli.call import recorded_request
from cds_service.doctor.examination import Wish, examine
from cds_service.doctor.port import Ehr, Finding, printable
from cds_service.doctor.trust import Signer
from cds_service.doctor.wire import Wire

_SANDBOX: Final = "https://sandbox.cds-hooks.org"
_MARKS: Final = {"ok": "ok      ", "note": "note    ", "problem": "PROBLEM "}
FOUND: Final = 1
"""Exit status where an EHR would stumble."""
_FILE: Final = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command()
@click.argument("url")
@click.option("--fixture", default="sandbox-order-sign", show_default=True, help="Order to sign: name of a shipped request, or a file.")
@click.option("--origin", default=None, help=f"Browser page that must be able to call, e.g. {_SANDBOX}.")
@click.option("--no-feedback", is_flag=True, help="Leave no feedback behind in the service.")
@click.option("--key", type=_FILE, help="Private key (PEM) of a client that the service knows: tokens are signed with it.")
@click.option("--issuer", default="", help="'iss' of those tokens.")
@click.option("--kid", default="", help="'kid' of those tokens.")
@click.option("--algorithm", default="ES384", show_default=True, help="'alg' of those tokens.")
@click.option("--ca-file", type=_FILE, help="Certificates to trust instead of the system's.")
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
def doctor(url: str, fixture: str, origin: str | None, *, no_feedback: bool, as_json: bool, ca_file: Path | None, **client: Any) -> None:  # noqa: ANN401 - of several types
    """Play the EHR against the CDS Hooks service at URL, and say what an EHR would stumble over.

    Sends a made-up patient's order, and (unless --no-feedback) one override for each service. Exit code 0: no problem; 1: a problem.
    """
    ehr = Ehr(Wire(str(ca_file) if ca_file else None), _authorize(**client), origin or _SANDBOX)
    wish = Wish(is_browser_needed=origin is not None, with_feedback=not no_feedback)
    findings = _told(examine(ehr, url, recorded_request(fixture), wish), silently=as_json)
    problems = sum(finding.level == "problem" for finding in findings)
    if as_json:
        click.echo(json.dumps({"url": url, "problems": problems, "findings": [asdict(one) for one in findings]}, indent=1))
    else:
        click.echo("Nothing found that an EHR would stumble over." if not problems else f"{problems} found that an EHR would stumble over.")
    if problems:
        raise SystemExit(FOUND)


def _authorize(key: Path | None, issuer: str, kid: str, algorithm: str) -> Any:  # noqa: ANN401 - an Authorize
    """Make the tokens of the client that is played; without a key none are sent."""
    if key is None:
        return lambda _: ""
    if not (issuer and kid):
        raise click.UsageError("--key needs --issuer and --kid: the service finds the public key by them")
    return Signer(key.read_text(encoding="utf-8"), issuer, kid, algorithm)


def _told(findings: Iterable[Finding], *, silently: bool) -> list[Finding]:
    """Print each finding when it is made, and return them all."""
    return list(findings if silently else _printing(findings))


def _printing(findings: Iterable[Finding]) -> Iterator[Finding]:
    for finding in findings:
        took = "" if finding.ms is None else f" ({finding.ms:.0f} ms)"
        click.echo(printable(f"{_MARKS[finding.level]}{finding.check}: {finding.says}{took}"))
        yield finding
