"""Floor 7: what all pages of the workbench share: templates, the head of the page, static files, security headers, same origin."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from importlib.resources import files
from typing import Any, Final
from urllib.parse import urlsplit

from flask import Blueprint, Response, abort, request
from jinja2 import Environment, PackageLoader, StrictUndefined

from cds_service import __version__
from cds_service.charts import STYLESHEET

_TYPES: Final = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
_YEAR: Final = "public, max-age=31536000, immutable"
_NAVIGATION: Final = (("try-it", "", "Try it"), ("rules", "/rules", "Rules"), ("use", "/use", "Use"))
"""Name, path below `/workbench` and label of each page that the head names."""
HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "same-origin",  # with no-referrer browsers would send `Origin: null` with the workbench's own forms
    "X-Frame-Options": "DENY",
}
"""Sent with every page: nothing inline, nothing from elsewhere, nothing in a frame, no address told to another site."""


@dataclass(frozen=True, slots=True)
class StaticFile:
    """One style sheet, script or picture, with the fingerprint that stands in its address."""

    content: bytes
    media_type: str
    fingerprint: str


@dataclass(frozen=True, slots=True)
class Shell:
    """Writes pages; `base` is the path under which browsers reach the service, without slash at its end."""

    title: str
    base: str
    templates: Environment
    static: Mapping[str, StaticFile]

    def page(self, template: str, status: HTTPStatus = HTTPStatus.OK, **values: Any) -> Response:  # noqa: ANN401 - whatever the template asks for
        """Render a template of the package as a page; a name that the template asks for and `values` lacks is an error."""
        return Response(self.templates.get_template(template).render(values), status, content_type="text/html; charset=utf-8")

    def address(self, path: str) -> str:
        """Return the address of a page below `/workbench`, for a link."""
        return f"{self.base}/workbench{path}"

    def static_address(self, name: str) -> str:
        """Return the address of a static file, which changes with its content, so that caches may keep it for ever."""
        return self.address(f"/static/{name}?v={self.static[name].fingerprint}")

    def serve(self, blueprint: Blueprint) -> None:
        """Add what all pages need to the blueprint: static files, headers, and the refusal of other sites' forms."""
        blueprint.add_url_rule("/static/<name>", "static_file", self._static_file)
        blueprint.before_request(_refuse_other_sites)
        blueprint.after_request(_secured)

    def _static_file(self, name: str) -> Response:
        file = self.static.get(name) or abort(HTTPStatus.NOT_FOUND)
        response = Response(file.content, content_type=file.media_type)
        response.headers["Cache-Control"] = _YEAR if request.args.get("v") == file.fingerprint else "no-cache"
        response.set_etag(file.fingerprint)
        response.make_conditional(request)
        return response


def shell_of(title: str, public_url: str) -> Shell:
    """Read templates and static files of the package once, for all pages."""
    templates = Environment(
        loader=PackageLoader("cds_service.web.workbench"), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    shell = Shell(title, urlsplit(public_url).path.rstrip("/"), templates, _static_files())
    templates.globals.update(
        address=shell.address, static=shell.static_address, navigation=_NAVIGATION, service_title=title, service_version=__version__
    )
    return shell


def _static_files() -> dict[str, StaticFile]:
    folder = files("cds_service.web.workbench") / "static"
    found = {file.name: file.read_bytes() for file in folder.iterdir() if file.is_file()}
    return {name: _static(name, content) for name, content in {**found, "charts.css": STYLESHEET.encode()}.items()}


def _static(name: str, content: bytes) -> StaticFile:
    media_type = _TYPES["." + name.rpartition(".")[2]]
    return StaticFile(content, f"{media_type}; charset=utf-8", hashlib.sha256(content).hexdigest()[:16])


def _refuse_other_sites() -> None:
    """Refuse a form that another site's page has sent: nobody's browser is to be used without their knowing.

    Browsers name the page's site in `Sec-Fetch-Site`, and over plain http to another machine in `Origin` alone.
    """
    if request.method in {"GET", "HEAD", "OPTIONS"}:
        return
    site, origin = request.headers.get("Sec-Fetch-Site", ""), request.headers.get("Origin", "")
    is_own = site in {"same-origin", "none"} if site else not origin or urlsplit(origin).netloc == request.host
    if not is_own:
        abort(HTTPStatus.FORBIDDEN)


def _secured(response: Response) -> Response:
    """Add the headers; what a page shows can rest on a pasted request, so it stays in no cache."""
    for name, value in HEADERS.items():
        response.headers[name] = value
    response.headers.setdefault("Cache-Control", "no-store")
    return response
