"""Floor 7: requests over the network: no redirect, no second try, bounded in time and size."""

import time
from collections.abc import Mapping
from typing import Final

import urllib3
from urllib3.exceptions import ConnectTimeoutError, HTTPError, NameResolutionError, NewConnectionError, ReadTimeoutError, SSLError

from cds_service.doctor.port import Reply

_SECONDS: Final = 30.0
_MOST: Final = 16 * 1024 * 1024
_REASONS: Final = (
    (NameResolutionError, "no host of this name is known here: is it spelt right?"),
    (SSLError, "its certificate is not trusted here, is for another name, or it does not speak https"),
    (ReadTimeoutError, "it takes the connection, but does not answer in time"),
    (
        (NewConnectionError, ConnectTimeoutError),
        "no connection: is the address right, does it run, and does a firewall let this machine through?",
    ),
)
"""What each kind of failure means, the special kinds first."""


class Wire:
    """Sends requests as doctor's port asks; proxies of the environment have no effect."""

    def __init__(self, ca_file: str | None = None) -> None:
        """Trust the system's certificate authorities, or those of a PEM file."""
        self._pool = urllib3.PoolManager(retries=False, timeout=urllib3.Timeout(total=_SECONDS), ca_certs=ca_file)

    def send(self, method: str, url: str, headers: Mapping[str, str], body: bytes | None) -> Reply:
        """Send one request; where nothing comes back the reply says why."""
        started = time.perf_counter()
        try:
            response = self._pool.request(method, url, body=body, headers=headers, redirect=False, preload_content=False)
            content = response.read(_MOST)
            response.release_conn()
        except (HTTPError, OSError, ValueError) as error:
            return Reply(0, ms=_since(started), trouble=why_not(error))
        return Reply(response.status, {name.lower(): value for name, value in response.headers.items()}, content, _since(started))


def why_not(error: Exception) -> str:
    """Say in plain words why nothing came."""
    return next((words for kinds, words in _REASONS if isinstance(error, kinds)), f"the connection broke off ({type(error).__name__})")


def _since(started: float) -> float:
    return round((time.perf_counter() - started) * 1000, 1)
