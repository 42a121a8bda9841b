"""Floor 8: `cds-service call`: send a shipped request to a running service, and read its cards."""

import json
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final

import click

from cds_service.cli.played_client import http_address, plays_a_client, signer_of
from cds_service.doctor.answers import complaints
from cds_service.doctor.examination import base_of
from cds_service.doctor.port import NOT_JSON, Ehr, Reply, printable
from cds_service.doctor.wire import Wire
from cds_service.errors import RequestRefused, nearest

_PACKAGE: Final = Path(__file__).parent.parent
_TOKENS: Final = "--key, --issuer and --kid; or --token and the address of one service (…/cds-services/ID), for which the token must be"
FOUND: Final = 1
"""Exit status where no advice came back."""


@click.command()
@click.option("--fixture", required=True, help="Name of a shipped request (fixtures/calls/NAME.json), or a file.")
@click.option(
    "--url",
    required=True,
    callback=http_address,
    help="Address of the service, e.g. http://127.0.0.1:8000; or of one service, …/cds-services/ID.",
)
@click.option(
    "--token", default="", help="Client token for the Authorization header, in place of --key: it is for one address and good once."
)
@plays_a_client
@click.option("--json", "as_json", is_flag=True, help="Print the answer as it came.")
def call(fixture: str, url: str, token: str, *, as_json: bool, ca_file: Path | None, **client: Any) -> None:  # noqa: ANN401 - of several types
    """Send a recorded request to a service as it was recorded, and print the cards as a clinician reads them.

    Exit code 0: advice, or none needed; 1: no valid answer.
    """
    request = recorded_request(fixture)
    authorize = signer_of(**client) or (lambda _: f"Bearer {token}" if token else "")
    ehr = Ehr(Wire(str(ca_file) if ca_file else None), authorize, "http://localhost")
    reply = ehr.post(_address(ehr, url, str(request.get("hook", ""))), request)
    click.echo(reply.body.decode("utf-8", "replace") if as_json else printable("\n".join(_read_out(reply))))
    if reply.status != HTTPStatus.OK or reply.json() is NOT_JSON or list(complaints(reply.json())):
        raise SystemExit(FOUND)


def recorded_request(name: str) -> Mapping[str, Any]:
    """Read a shipped request by its name, or a file; raises RequestRefused where there is none."""
    shipped = shipped_requests()
    path = Path(name) if name.endswith(".json") else shipped / f"{name}.json"
    try:
        request = json.loads(path.read_text(encoding="utf-8"))
    except OSError:
        names = sorted(one.stem for one in shipped.glob("*.json"))
        raise RequestRefused("REQ-102", "no such request", f"a file, or one of {', '.join(names)}{nearest(name, names)}") from None
    except ValueError:
        request = None
    if not isinstance(request, dict) or not isinstance(request.get("context"), dict):
        raise RequestRefused("REQ-102", "a file that is no CDS Hooks request", "a JSON object with a 'context'")
    return request


def shipped_requests() -> Path:
    """Return the folder of a checkout where the program runs from one, else the copy that travels inside the package."""
    checkout = _PACKAGE.parent
    return checkout / "fixtures" / "calls" if (checkout / "pyproject.toml").is_file() else _PACKAGE / "_pack" / "calls"


def _address(ehr: Ehr, url: str, hook: str) -> str:
    """Find the service for a hook by discovery, unless its own address was given."""
    if "/cds-services/" in url.rstrip("/"):
        return url
    base = base_of(url)
    reply = ehr.get(f"{base}/cds-services")
    if not reply.is_success:
        wants_token = reply.status == HTTPStatus.UNAUTHORIZED
        expected = f"tokens of a client that it knows: {_TOKENS}" if wants_token else "a CDS Hooks service there"
        raise RequestRefused("REQ-103", f"{reply.told} from {base}/cds-services", expected)
    found = reply.json()
    services = found.get("services", []) if isinstance(found, dict) else []
    named = [service["id"] for service in services if isinstance(service, dict) and service.get("hook") == hook and "id" in service]
    if not named:
        raise RequestRefused("REQ-103", f"no service for the hook '{hook}' at {base}", "a service whose discovery names one")
    return f"{base}/cds-services/{named[0]}"


def _read_out(reply: Reply) -> Iterator[str]:
    """Write the answer as text for a terminal."""
    answer = reply.json()
    if reply.status != HTTPStatus.OK or answer is NOT_JSON:
        yield f"No advice: {reply.told}."
        yield from (_reason(answer), "") if isinstance(answer, dict) else ()
        return
    wrong = list(complaints(answer))
    if wrong:
        yield from ("No valid answer:", *(f"  {one}" for one in wrong))
        return
    if not answer["cards"]:
        yield "No card: the EHR shows nothing."
    for card in answer["cards"]:
        yield from _card(card)


def _reason(outcome: Mapping[str, Any]) -> str:
    """Take the sentence of an OperationOutcome, where there is one."""
    issues = outcome.get("issue")
    first = issues[0] if isinstance(issues, list) and issues and isinstance(issues[0], dict) else {}
    details = first.get("details")
    return str(details.get("text", "")) if isinstance(details, dict) else str(first.get("diagnostics", ""))


def _card(card: Mapping[str, Any]) -> Iterator[str]:
    yield f"[{card['indicator']}] {card['summary']}"
    yield from ("", card["detail"]) if "detail" in card else ()
    yield ""
    for suggestion in card.get("suggestions", ()):
        yield f"  -> {suggestion['label']}{' (recommended)' if suggestion.get('isRecommended') else ''}"
    yield from (f"  Override: {reason['display']}" for reason in card.get("overrideReasons", ()))
    yield from (f"  Read: {link['label']} <{link['url']}>" for link in card.get("links", ()))
    yield f"  Source: {card['source']['label']}"
    yield ""
