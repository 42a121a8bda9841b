"""What a proxy says of a request counts from the named proxies alone; from anybody else it is taken away."""

from collections.abc import Callable, Iterable
from typing import Any

import pytest
from flask import Flask

from cds_service.web.proxies import forwarded_user, is_proxy, only_from_proxies

Environ = dict[str, Any]
SAID = {
    "HTTP_X_FORWARDED_FOR": "192.0.2.7",
    "HTTP_X_FORWARDED_PROTO": "https",
    "HTTP_X_FORWARDED_HOST": "cds.example.org",
    "HTTP_X_FORWARDED_PREFIX": "/x",
    "HTTP_FORWARDED": "for=192.0.2.7",
    "HTTP_X_REAL_IP": "192.0.2.7",
    "HTTP_X_SIGNED_IN": "pharmacist",
}


def seen_from(peer: str, proxies: tuple[str, ...] = ("10.0.0.0/8", "::1"), **said: str) -> Environ:
    """Return the environment as the application sees it, and who the user is."""
    seen: Environ = {}

    def application(environ: Environ, _: Callable[..., Any]) -> Iterable[bytes]:
        seen.update(environ)
        with Flask("x").request_context(environ):
            seen["user"] = forwarded_user()
        return []

    environ = {
        "REMOTE_ADDR": peer,
        "REQUEST_METHOD": "GET",
        "PATH_INFO": "/",
        "SERVER_NAME": "x",
        "SERVER_PORT": "80",
        "wsgi.url_scheme": "http",
    }
    list(only_from_proxies(application, proxies, "X-Signed-In")({**environ, **SAID, **said}, lambda *_: lambda _: None))
    return seen


def test_a_named_proxy_is_believed() -> None:
    seen = seen_from("10.1.2.3")
    assert (seen["user"], seen["REMOTE_ADDR"], seen["wsgi.url_scheme"], seen["HTTP_HOST"]) == (
        "pharmacist",
        "192.0.2.7",
        "https",
        "cds.example.org",
    )


@pytest.mark.parametrize("peer", ["192.0.2.7", "11.0.0.1", "::2", "", "unix", "not an address"])
def test_everybody_else_says_nothing_of_anybody(peer: str) -> None:
    seen = seen_from(peer)
    assert (seen["user"], seen["REMOTE_ADDR"], seen["wsgi.url_scheme"]) == ("", peer, "http")
    assert [name for name in SAID if name in seen] == []


def test_nobody_is_believed_where_no_proxy_is_named() -> None:
    assert seen_from("127.0.0.1", ())["user"] == ""


def test_the_header_of_the_user_is_gone_for_the_application_in_any_case() -> None:
    assert "HTTP_X_SIGNED_IN" not in seen_from("10.0.0.1")


@pytest.mark.parametrize("said", ["evil,pharmacist", "evil, pharmacist", "", " x", "x\n", "x" * 257])
def test_a_user_who_is_not_one_name_is_nobody(said: str) -> None:
    assert seen_from("10.0.0.1", HTTP_X_SIGNED_IN=said)["user"] == ""


def test_the_environment_cannot_name_a_user_by_itself() -> None:
    assert seen_from("192.0.2.7", HTTP_X_FORWARDED_USER="evil")["user"] == ""


@pytest.mark.parametrize(
    ("peer", "proxies", "is_one"),
    [
        ("", ("unix",), True),
        ("", ("127.0.0.1",), False),
        ("127.0.0.1", ("unix",), False),
        ("127.0.0.1", ("127.0.0.0/8",), True),
        ("::ffff:10.0.0.1", ("10.0.0.0/8",), True),
        ("fd00::1", ("fd00::/8", "unix"), True),
    ],
)
def test_a_proxy_is_known_by_address_network_or_socket(peer: str, proxies: tuple[str, ...], is_one: bool) -> None:  # noqa: FBT001
    assert is_proxy(peer, proxies) is is_one
