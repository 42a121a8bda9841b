"""Floor 7: does a service look at who calls, and may a browser page call it?"""

import base64
import json
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

import jwt

from cds_service.doctor.port import Ehr, Finding, Reply, note, ok, problem

_SECONDS: Final = 300


@dataclass(frozen=True, slots=True)
class Signer:
    """Signs a CDS Hooks client token for each call, as an EHR does; `key` is a private key in PEM."""

    key: str
    issuer: str
    kid: str
    algorithm: str = "ES384"
    tenant: str = ""

    def __call__(self, url: str, seconds_ago: int = 0) -> str:
        """Return the Authorization header for an address, made so long ago: `aud` is the address itself."""
        made = int(time.time()) - seconds_ago
        claims = {"iss": self.issuer, "aud": url, "iat": made, "exp": made + _SECONDS, "jti": str(uuid.uuid4())}
        tenant = {"tenant": self.tenant} if self.tenant else {}
        return "Bearer " + jwt.encode({**claims, **tenant}, self.key, self.algorithm, {"kid": self.kid})


def preflight(ehr: Ehr, url: str, method: str, *, is_needed: bool) -> Iterator[Finding]:
    """Ask what a browser asks before a page of another origin may call; `is_needed` where the EHR is known to be such a page."""
    check = f"preflight {method} …{url[url.rfind('/cds-services') :]}"
    reply = ehr.preflight(url, method)
    allowed = reply.headers.get("access-control-allow-origin", "")
    if not reply.is_success:
        yield problem(check, f"{reply.told}; a browser then never sends the call", reply)
    elif allowed not in (ehr.origin, "*"):
        says = f"pages of {ehr.origin} may not call; EHRs that call from their server need no such permission"
        yield problem(check, says, reply) if is_needed else note(check, says, reply)
    else:
        yield from _headers(check, reply, method)


def _headers(check: str, reply: Reply, method: str) -> Iterator[Finding]:
    """By the Fetch standard `*` does not cover Authorization: it must stand there by name."""
    named = {name.strip().lower() for name in reply.headers.get("access-control-allow-headers", "").split(",")}
    lacks = sorted({"authorization", *(["content-type"] if method == "POST" else [])} - named)
    if lacks:
        yield problem(check, f"Access-Control-Allow-Headers does not name {' and '.join(lacks)}", reply)
    else:
        yield ok(check, f"pages of the origin {reply.headers['access-control-allow-origin']} may call", reply)


def tokens(ehr: Ehr, url: str) -> Iterator[Finding]:
    """Knock with tokens that no service should take, and look whether the refusals tell them apart."""
    replies = [ehr.get(url, f"Bearer {token}") for token in ("not-a-token", _unsigned(url))]
    statuses = [reply.status for reply in replies]
    if all(reply.is_success for reply in replies):
        yield note("tokens", "are not looked at: whoever reaches the service gets answers", replies[0])
    elif any(status != HTTPStatus.UNAUTHORIZED for status in statuses):
        yield problem("tokens", f"bad ones get {' and '.join(reply.told for reply in replies)}; expected 401", replies[0])
    elif len({reply.body for reply in replies}) > 1:
        yield problem("tokens", "refusals differ by reason: that helps whoever forges tokens", replies[0])
    else:
        yield ok("tokens", "bad ones get 401, with one and the same answer", replies[0])


def misused_tokens(ehr: Ehr, url: str) -> Iterator[Finding]:
    """Knock with tokens of the client itself that no service should take; one that may be tried comes first."""
    if not isinstance(ehr.authorize, Signer):
        return
    once = ehr.authorize(url)
    if not ehr.get(url, once).is_success:
        return
    misused = {
        "that was used before": once,
        "for another address": ehr.authorize(f"{url}/elsewhere"),
        "that expired an hour ago": ehr.authorize(url, 3600 + _SECONDS),
    }
    taken = [how for how, token in misused.items() if ehr.get(url, token).is_success]
    yield from (problem("tokens misused", f"a token {how} is taken: whoever gets hold of one can use it") for how in taken)
    if not taken:
        yield ok("tokens misused", "one that was used before, that is for another address, or that expired is refused")


def _unsigned(url: str) -> str:
    """Make a token of algorithm `none`, which the specification forbids."""
    now = int(time.time())
    claims = {"iss": "https://doctor.invalid", "aud": url, "iat": now, "exp": now + _SECONDS, "jti": str(uuid.uuid4())}
    parts = (base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=") for part in ({"alg": "none", "typ": "JWT"}, claims))
    return b".".join(parts).decode() + "."
