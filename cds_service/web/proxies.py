"""Floor 7: what a reverse proxy says of a request (`X-Forwarded-*`, the user it knows) counts from the proxies of the settings alone."""

import ipaddress
from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING, Final

from flask import request
from werkzeug.middleware.proxy_fix import ProxyFix

from cds_service.settings import UNIX

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

_USER: Final = "cds_service.forwarded_user"
_SPOKEN_FOR: Final = ("HTTP_X_FORWARDED_", "HTTP_FORWARDED", "HTTP_X_REAL_IP")
"""How the headers begin that speak for somebody else."""
_LONGEST_USER: Final = 256


def forwarded_user() -> str:
    """Return the user that a trusted proxy names for the present request; empty where none does."""
    user: str = request.environ.get(_USER, "")
    return user


def only_from_proxies(application: "WSGIApplication", proxies: Collection[str], user_header: str) -> "WSGIApplication":
    """Take forwarding headers and the user's header away from everybody but `proxies` (addresses, networks, or the word `unix`)."""
    user_key = "HTTP_" + user_header.upper().replace("-", "_")
    from_proxy = ProxyFix(application, x_for=1, x_proto=1, x_host=1)

    def answer(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        user = environ.pop(user_key, "")
        if is_proxy(environ.get("REMOTE_ADDR", ""), proxies):
            environ[_USER] = user if _is_one_name(user) else ""
            return from_proxy(environ, start_response)
        for name in [name for name in environ if name.startswith(_SPOKEN_FOR)]:
            del environ[name]
        return application(environ, start_response)

    return answer


def is_proxy(peer: str, proxies: Collection[str]) -> bool:
    """Tell whether the other end of a connection is one of the proxies; over a Unix socket it has no address."""
    if not peer:
        return UNIX in proxies
    try:
        address = ipaddress.ip_address(peer)
    except ValueError:
        return False
    seen = getattr(address, "ipv4_mapped", None) or address
    return any(seen in ipaddress.ip_network(one) for one in proxies if one != UNIX)


def _is_one_name(user: str) -> bool:
    """Tell a name from what several headers, joined by commas, or a forger would give."""
    return 0 < len(user) <= _LONGEST_USER and user.isprintable() and "," not in user and user == user.strip()
