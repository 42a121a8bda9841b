"""Floor 7: one spelling for each address: `//id` and `id/` are read as `/id`, without a redirect."""

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

CALLED_AS: Final = "cds_service.called_as"
"""Where the WSGI environment keeps the path as it was called, before slashes were set right: a token may name it."""
_SLASHES: Final = re.compile("/{2,}")


def plain_path(path: str) -> str:
    """Return a path with single slashes and none at its end: clients join addresses carelessly, and a redirect would break a preflight."""
    return _SLASHES.sub("/", path).rstrip("/") or "/"


def single_slashes(application: "WSGIApplication") -> "WSGIApplication":
    """Have an application see plain paths alone."""

    def answer(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        environ[CALLED_AS] = environ.get("PATH_INFO", "")
        environ["PATH_INFO"] = plain_path(environ.get("PATH_INFO", ""))
        return application(environ, start_response)

    return answer
