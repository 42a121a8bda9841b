"""Floor 7: how the examination talks to a service, and how it says what it found."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Final, Literal, Protocol

Level = Literal["ok", "note", "problem"]
NOT_JSON: Final = object()
"""What `Reply.json` returns for a body that is no JSON: `None` would be the JSON null."""
_SLOW_MS: Final = 500
"""An answer is expected "on the order of 500 ms" (CDS Hooks 2.0.1, #http-request_1)."""
_TOO_SLOW_MS: Final = 5000
"""After so long CRD clients may go on without the answer."""


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer over HTTP; header names in lower case; `status` is 0 and `trouble` says why where none came."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    ms: float = 0.0
    trouble: str = ""

    def json(self) -> Any:  # noqa: ANN401 - any JSON value
        """Parse the body; NOT_JSON where it is none."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            return NOT_JSON

    @property
    def is_success(self) -> bool:
        """Tell whether the status is 2xx."""
        return HTTPStatus.OK <= self.status < HTTPStatus.MULTIPLE_CHOICES

    @property
    def is_refusal(self) -> bool:
        """Tell whether the status is 4xx."""
        return HTTPStatus.BAD_REQUEST <= self.status < HTTPStatus.INTERNAL_SERVER_ERROR

    @property
    def told(self) -> str:
        """Say what came: the status, or why there is none."""
        if not self.status:
            return f"no answer ({self.trouble})"
        where = self.headers.get("location", "")
        return f"status {self.status}" + (f", a redirect to {where}" if where and not self.is_success else "")


class Http(Protocol):
    """Sends one request and returns whatever comes; follows no redirect and raises nothing for what a server does."""

    def send(self, method: str, url: str, headers: Mapping[str, str], body: bytes | None) -> Reply:
        """Send one request."""


Authorize = Callable[[str], str]
"""Gives the Authorization header for an address; an empty text sends none."""


def no_token(_: str) -> str:
    """Send no Authorization header."""
    return ""


@dataclass(frozen=True, slots=True)
class Ehr:
    """The client that is played: how it sends, how it proves who it is, and the browser page that it runs in."""

    http: Http
    authorize: Authorize
    origin: str

    def get(self, url: str, authorization: str | None = None) -> Reply:
        """Read an address, with the EHR's own token unless another header is given."""
        return self.http.send("GET", url, self._headers(url, authorization), None)

    def post(self, url: str, message: object, authorization: str | None = None) -> Reply:
        """Send a message: JSON values, or bytes as they are."""
        body = message if isinstance(message, bytes) else json.dumps(message).encode()
        headers = {**self._headers(url, authorization), "Content-Type": "application/json"}
        return self.http.send("POST", url, headers, body)

    def preflight(self, url: str, method: str) -> Reply:
        """Ask as a browser does before it lets a page call."""
        wanted = "authorization" if method == "GET" else "authorization,content-type"
        headers = {"Origin": self.origin, "Access-Control-Request-Method": method, "Access-Control-Request-Headers": wanted}
        return self.http.send("OPTIONS", url, headers, None)

    def _headers(self, url: str, authorization: str | None) -> dict[str, str]:
        value = self.authorize(url) if authorization is None else authorization
        return {"Accept": "application/json", "Origin": self.origin, **({"Authorization": value} if value else {})}


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report: a `problem` stops some EHR, a `note` is worth knowing; `ms` is how long the answer took."""

    level: Level
    check: str
    says: str
    ms: float | None = None


def ok(check: str, says: str, reply: Reply | None = None) -> Finding:
    """Report that a check passed."""
    return Finding("ok", check, says, reply.ms if reply else None)


def note(check: str, says: str, reply: Reply | None = None) -> Finding:
    """Report what some EHRs mind, and the specification does not."""
    return Finding("note", check, says, reply.ms if reply else None)


def problem(check: str, says: str, reply: Reply | None = None) -> Finding:
    """Report what an EHR would stumble over."""
    return Finding("problem", check, says, reply.ms if reply else None)


def pace(check: str, reply: Reply) -> list[Finding]:
    """Report an answer that clinicians would wait for."""
    if reply.ms > _TOO_SLOW_MS:
        return [problem(check, f"took {reply.ms:.0f} ms: EHRs go on without the answer after 5 s or less", reply)]
    if reply.ms > _SLOW_MS:
        return [note(check, f"took {reply.ms:.0f} ms: the specification hopes for about 500 ms, and the clinician waits", reply)]
    return []


def printable(text: str) -> str:
    """Keep what a service says from steering the terminal: control characters become spaces, line ends stay."""
    return "".join(one if one.isprintable() or one == "\n" else " " for one in text)
