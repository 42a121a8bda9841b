"""Which FHIR base may be called, and which addresses lie under it: parsed and compared part by part, never as text."""

import ipaddress
import re
from dataclasses import dataclass
from typing import Final, Literal
from urllib.parse import urljoin, urlsplit

LOOPBACK_ONLY: Final = "loopback-only"
Allowed = tuple[str, ...] | Literal["loopback-only"]
"""The bases that a caller may name: a list, or (development mode, without a client registry) any on this machine."""

_LONGEST: Final = 4096
_SCHEME: Final = re.compile("https?://", re.IGNORECASE)
_HOST_NAME: Final = re.compile(r"[a-z0-9]([a-z0-9.\-]*[a-z0-9])?")
_PRINTABLE: Final = re.compile(r"[!-~]+")
_ESCAPED: Final = re.compile(r"%([0-9A-Fa-f]{2})?")
_HIDING: Final = frozenset("./\\%;@?#:")
"""Characters that a proxy or server may decode and take for structure; an address that escapes one is refused."""
_PORTS: Final = {"http": 80, "https": 443}
_LAST_CONTROL: Final = 0x20


@dataclass(frozen=True, slots=True)
class Base:
    """The parsed base of a FHIR server; two bases are one where all parts are equal."""

    scheme: str
    host: str
    port: int
    segments: tuple[str, ...]

    @property
    def is_loopback(self) -> bool:
        """Only programs of this machine can answer."""
        return self.host == "localhost" or _is_loopback_address(self.host)

    def target(self, relative: str) -> str:
        """Return the path and query to request for an address relative to this base, which the program wrote itself."""
        return "/" + "/".join((*self.segments, relative))

    def target_of(self, link: str) -> str | None:
        """Return path and query of a server's own link (absolute, or relative to the base); nothing where it leads elsewhere."""
        if not _is_plain(link) or _has_dot_segment(link):
            return None
        try:
            found = urlsplit(urljoin(f"{self.scheme}://{self._place}/{'/'.join(self.segments)}".rstrip("/") + "/", link))
        except ValueError:
            return None
        there = _parts(found.geturl().partition("?")[0].partition("#")[0])
        if there is None or (there.scheme, there.host, there.port) != (self.scheme, self.host, self.port):
            return None
        if there.segments[: len(self.segments)] != self.segments:
            return None
        path = "/" + "/".join(there.segments)
        return f"{path}?{found.query}" if found.query else path

    @property
    def _place(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


def allowed_base(fhir_server: str, allowed: Allowed) -> Base | None:
    """Return the base to read from, or nothing where the caller named one that is not on the list.

    Plain http is for this machine alone: it would show the token to the network.
    """
    base = parse_base(fhir_server)
    if base is None or (base.scheme == "http" and not base.is_loopback):
        return None
    if isinstance(allowed, str):
        return base if base.is_loopback else None
    return base if any(base == parse_base(one) for one in allowed) else None


def parse_base(address: str) -> Base | None:
    """Parse the address of a FHIR base; nothing where it has a user, a query, a fragment or anything that can be read two ways."""
    if "?" in address or "#" in address or not _is_plain(address):
        return None
    return _parts(address)


def _parts(address: str) -> Base | None:
    """Part an absolute address without query: lower-case host, port by number, path by segments."""
    if not _SCHEME.match(address):
        return None
    try:
        found = urlsplit(address)
        port = found.port
    except ValueError:
        return None
    host = _host(found.netloc, found.hostname or "")
    segments = _segments(found.path)
    if not host or segments is None or port == 0:
        return None
    return Base(found.scheme, host, port or _PORTS[found.scheme], segments)


def _host(netloc: str, host: str) -> str:
    """Return the host as it is compared: a name in lower case, or an IP address in its shortest form; empty for anything odd."""
    if "@" in netloc or netloc.endswith(":"):
        return ""
    if _HOST_NAME.fullmatch(host) and "[" not in netloc:
        return host if ".." not in host else ""
    try:
        return str(ipaddress.IPv6Address(host)) if "%" not in host else ""
    except ValueError:
        return ""


def _segments(path: str) -> tuple[str, ...] | None:
    """Part a path; nothing where a segment is empty, a dot segment, or hides structure behind an escape."""
    parts = tuple(path.removeprefix("/").removesuffix("/").split("/")) if path.strip("/") else ()
    if path.startswith("//") or path.endswith("//"):
        return None
    return None if any(_is_treacherous(part) for part in parts) else parts


def _is_treacherous(segment: str) -> bool:
    """Tell a segment that some server would read as another path."""
    return not segment or segment.partition(";")[0] in ("", ".", "..") or not _is_safely_escaped(segment)


def _is_safely_escaped(segment: str) -> bool:
    """Tell whether every escape is complete and stands for a character without meaning of its own in a path."""
    codes = [found[1] for found in _ESCAPED.finditer(segment)]
    return all(code and int(code, 16) > _LAST_CONTROL and chr(int(code, 16)) not in _HIDING for code in codes)


def _has_dot_segment(link: str) -> bool:
    """Tell a link that walks up or stays, before joining would tidy that away."""
    path = link.partition("?")[0].partition("#")[0]
    return any(part.partition(";")[0] in (".", "..") for part in path.split("/"))


def _is_plain(address: str) -> bool:
    """Tell whether an address is ASCII without blanks, control characters and backslashes, which parsers read differently."""
    return len(address) <= _LONGEST and _PRINTABLE.fullmatch(address) is not None and "\\" not in address


def _is_loopback_address(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
